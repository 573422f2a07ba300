// the table at the chosen budget

const rowOf = (text) => data.rows.findIndex((r) => text === r.label || text.startsWith(`${r.label} `));

function visible(text) {
  const row = rowOf(text);
  return !(chosen.off.has(row)) && text.toLowerCase().includes(chosen.filter);
}

function compare(a, b) {
  const [x, y] = [a, b].map((line) => line[chosen.sort][0]);
  const [m, n] = [x, y].map((text) => parseFloat(text.replaceAll("\u2212", "-")));
  // what has no number comes last, whichever way
  if (isNaN(m) !== isNaN(n) && chosen.sort) return isNaN(m) ? 1 : -1;
  const way = chosen.down ? -1 : 1;
  return way * (isNaN(m) || !chosen.sort ? x.localeCompare(y) : m - n);
}

function drawTable() {
  const { heads, lines } = data.tables[chosen.budget];
  const [head, body] = [byId("rows").tHead, byId("rows").tBodies[0]];
  head.replaceChildren(make("tr", {}, ...heads.map((text, k) => {
    const sorted = k !== chosen.sort ? "none" : chosen.down ? "descending" : "ascending";
    const button = make("button", { type: "button" }, text, sorted === "none" ? "" : chosen.down ? " \u25be" : " \u25b4");
    button.onclick = () => {
      [chosen.down, chosen.sort] = [chosen.sort === k && !chosen.down, k];
      drawTable();
      head.rows[0].cells[k].firstChild.focus();
    };
    return make("th", { scope: "col", "aria-sort": sorted }, button);
  })));
  const shown = lines.filter((line) => visible(line[0][0]));
  if (chosen.sort !== null) shown.sort(compare);
  body.replaceChildren(...shown.map((line) => make("tr", {}, ...line.map(([text, mark], k) => {
    const inside = mark ? make(mark === "best" ? "b" : "i", {}, text) : text;
    return make(k ? "td" : "th", k ? {} : { scope: "row" }, inside);
  }))));
}
