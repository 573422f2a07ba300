// set up once

function options(select, values) {
  select.replaceChildren(...values.map(([value, text]) => make("option", { value }, text)));
}

function draw() {
  byId("budget-text").textContent = data.budgets[chosen.budget].label;
  byId("budget").setAttribute("aria-valuetext", data.budgets[chosen.budget].label);
  drawTable();
  drawCurves();
  drawSearch();
  drawGallery();
}

byId("reading").textContent = data.reading;
byId("footnote").textContent = data.footnote;
Object.assign(byId("budget"), { max: end, value: end, disabled: end === 0 });
byId("budget").oninput = (e) => { chosen.budget = Number(e.target.value); draw(); };
byId("filter").oninput = (e) => { chosen.filter = e.target.value.toLowerCase(); drawTable(); };
data.rows.forEach((row, k) => {
  const box = make("input", { type: "checkbox", checked: true });
  box.onchange = () => { chosen.off[box.checked ? "delete" : "add"](k); draw(); };
  byId("methods").append(make("label", {}, box, make("span", { className: `swatch ${row.shape}`, style: `background:${row.colour}` }), row.label));
});
options(byId("metric"), [...data.metrics.map((m) => [m.name, m.head]), ["searched", "searched F"]]);
byId("metric").value = data.main || "searched";
byId("x").value = data.unit;
for (const id of ["metric", "x", "log-x", "log-y", "each", "gap"]) byId(id).onchange = drawCurves;
byId("search").hidden = !data.axes.length;
options(byId("axis"), data.axes.map((a) => [a.name, a.name]));
byId("axis").onchange = byId("slice-log").onchange = drawSlice;
const pictured = data.runs.filter((r) => r.images && r.images.length);
byId("gallery").hidden = !data.runs.some((r) => !r.images || r.images.length);
const different = (values) => [...new Set(values)];
options(byId("seed"), different(data.runs.map((r) => String(r.seed))).sort((a, b) => a - b).map((s) => [s, s]));
options(byId("prompt"), different(data.runs.map((r) => r.prompt)).map((p) => [p, p || "(none)"]));
byId("prompt").parentElement.hidden = byId("prompt").length < 2;
if (pictured.length) byId("seed").value = String(Math.min(...pictured.map((r) => r.seed)));
byId("seed").onchange = byId("prompt").onchange = drawGallery;
byId("pictures").hidden = !data.pictures.length;
byId("pictures").append(...data.pictures.map((p) => make("figure", {},
  make("img", { src: p.src, alt: p.name.replaceAll("_", " "), loading: "lazy" }),
  make("figcaption", {}, p.name.replaceAll("_", " ")))));
byId("every").tHead.append(make("tr", {}, ...["Run", "Method", "Seed", "Prompt", "Status", "Seconds", "Evaluations"].map((h) => make("th", { scope: "col" }, h))));
byId("every").tBodies[0].append(...data.runs.map((r) => make("tr", {},
  make("td", {}, make("a", { href: `#run=${r.id}` }, r.id)),
  ...[data.rows[r.row].label, r.seed, r.prompt, r.status, r.spent.seconds, r.spent.evaluations].map((c) => make("td", {}, short(c))))));
byId("fewer").hidden = data.runs.length === data.run_count;
byId("fewer").textContent = `The ${data.runs.length} runs of the lowest seeds, of ${data.run_count}: tables, means and statistics are of all, single runs and their curves of these. bench report on fewer has the others.`;
byId("get-csv").onclick = () => save("table1.csv", data.files[chosen.budget].csv, "text/csv");
byId("get-tex").onclick = () => save("table1.tex", data.files[chosen.budget].tex, "text/plain");
byId("get-differences").onclick = () => save("differences.csv", data.differences, "text/csv");
if (byId("get-statistics")) byId("get-statistics").onclick = () => save("statistics.csv", data.statistics, "text/csv");
byId("get-png").onclick = async () => save("curves.png", await view.toImageURL("png", 2));
byId("get-svg").onclick = async () => save("curves.svg", await view.toSVG(), "image/svg+xml");
byId("controls").onsubmit = (e) => e.preventDefault();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("hashchange", route);
draw();
route();
