// the table at the chosen budget

const rowOf = (text) => data.rows.findIndex((r) => text === r.label || text.startsWith(`${r.label} `));

function visible(text) {
  return !chosen.off.has(rowOf(text)) && text.toLowerCase().includes(chosen.filter);
}

function sortBy(k) {
  // the better end of a metric first
  const metric = data.metrics.find((m) => data.tables[chosen.budget].heads[k].startsWith(m.head));
  const first = metric ? metric.lower === false : false;
  [chosen.down, chosen.sort] = [chosen.sort === k ? !chosen.down : first, k];
  drawTable();
  byId("rows").tHead.rows[0].querySelector(`[data-column="${k}"] button`).focus();
}

function drawTable() {
  const { heads, lines } = data.tables[chosen.budget];
  const kept = heads.map((_, k) => k).filter((k) => !chosen.hidden.has(heads[k]));
  const head = sortable(heads, chosen.sort, chosen.down, sortBy);
  [...head.cells].forEach((cell, k) => { cell.dataset.column = k; cell.hidden = !kept.includes(k); });
  byId("rows").tHead.replaceChildren(head);
  const shown = lines.filter((line) => visible(line[0][0]));
  if (chosen.sort !== null) {
    shown.sort((a, b) => ordered(a[chosen.sort][0], b[chosen.sort][0], chosen.down, chosen.sort === 0));
  }
  byId("rows").tBodies[0].replaceChildren(...shown.map((line) => make("tr", {}, ...kept.map((k) => {
    const [text, mark] = line[k];
    const inside = mark ? make(mark === "best" ? "b" : "i", {}, text) : text;
    return make(k ? "td" : "th", k ? {} : { scope: "row" }, inside);
  }))));
  byId("marks-note").hidden = !chosen.off.size;
}

function drawColumns() {
  const every = [...new Set(data.tables.flatMap((t) => t.heads.slice(1)))];
  byId("columns").replaceChildren(...every.map((head) => {
    const box = make("input", { type: "checkbox", checked: !chosen.hidden.has(head) });
    box.onchange = () => { chosen.hidden[box.checked ? "delete" : "add"](head); drawTable(); remember(); };
    return make("label", {}, box, head);
  }));
}
