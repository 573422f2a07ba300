// the table at the chosen budget

function sortBy(k) {
  const head = data.tables[chosen.budget].heads[k];
  // the better end of a metric first
  const metric = data.metrics.find((m) => head.startsWith(m.head));
  const first = metric ? metric.lower === false : false;
  // by its name: tables at other budgets may have other columns
  [chosen.down, chosen.sort] = [chosen.sort === head ? !chosen.down : first, head];
  drawTable();
  byId("rows").tHead.rows[0].querySelector(`[data-column="${k}"] button`).focus();
}

function drawTable() {
  const { heads, lines, rows, reading } = data.tables[chosen.budget];
  const by = heads.indexOf(chosen.sort);
  const kept = heads.map((_, k) => k).filter((k) => !chosen.hidden.has(heads[k]));
  const head = sortable(heads, by, chosen.down, sortBy);
  [...head.cells].forEach((cell, k) => { cell.dataset.column = k; cell.hidden = !kept.includes(k); });
  byId("rows").tHead.replaceChildren(head);
  const shown = lines.filter((line, k) => !chosen.off.has(rows[k]) && line[0][0].toLowerCase().includes(chosen.filter));
  if (by >= 0) shown.sort((a, b) => ordered(a[by][0], b[by][0], chosen.down, by === 0));
  byId("rows").tBodies[0].replaceChildren(...shown.map((line) => make("tr", {}, ...kept.map((k) => {
    const [text, mark] = line[k];
    const inside = mark ? make(mark === "best" ? "b" : "i", {}, text) : text;
    return make(k ? "td" : "th", k ? {} : { scope: "row" }, inside);
  }))));
  byId("marks-note").hidden = !chosen.off.size;
  byId("reading").textContent = reading;
}

function drawColumns() {
  const every = [...new Set(data.tables.flatMap((t) => t.heads.slice(1)))];
  byId("columns").replaceChildren(...every.map((head) => {
    const box = make("input", { type: "checkbox", checked: !chosen.hidden.has(head) });
    box.onchange = () => { chosen.hidden[box.checked ? "delete" : "add"](head); drawTable(); remember(); };
    return make("label", {}, box, head);
  }));
}
