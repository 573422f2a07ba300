// set up once

function options(select, values) {
  select.replaceChildren(...values.map(([value, text]) => make("option", { value }, text)));
}

let latest = 0;

// a row's line and point, as the curves draw them
const points = {
  circle: "M12 6a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
  square: "M12 2h8v8h-8z",
  "triangle-up": "M16 1l5 9h-10z",
  diamond: "M16 1l5 5l-5 5l-5-5z",
  cross: "M14 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
};

function swatch(row) {
  const part = (tag, words, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(words)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const line = part("path", { d: "M0 6h32", stroke: row.colour, "stroke-width": 2, "stroke-dasharray": row.dash.join() || "none" });
  const point = part("path", { d: points[row.shape], stroke: row.colour, "stroke-width": 1.5, fill: row.hollow ? "var(--paper)" : row.colour });
  return part("svg", { class: "swatch", viewBox: "0 0 32 12", "aria-hidden": "true" }, line, point);
}

function draw() {
  byId("budget-text").textContent = data.budgets[chosen.budget].label;
  byId("budget").setAttribute("aria-valuetext", data.budgets[chosen.budget].label);
  drawTable();
  drawGallery();
  remember();
  // what is further down comes once the curves can be seen, and of several changes the last alone
  const own = ++latest;
  drawCurves().then(() => requestAnimationFrame(() => setTimeout(() => { if (own === latest) drawSearch(); })));
}

// what is chosen, in the address, so that a link shows the same

const boxes = ["log-x", "log-y", "each", "gap"];

function remember() {
  if (!byId("run").hidden) return;
  const words = new URLSearchParams({ budget: chosen.budget, metric: byId("metric").value, x: byId("x").value });
  if (chosen.off.size) words.set("off", [...chosen.off].join());
  if (chosen.hidden.size) words.set("hidden", [...chosen.hidden].join("|"));
  const on = boxes.filter((id) => byId(id).checked);
  words.set("on", on.join());
  history.replaceState(null, "", `#view?${words}`);
}

function recall() {
  if (!location.hash.startsWith("#view?")) return;
  const words = new URLSearchParams(location.hash.slice(6));
  const whole = (text) => Number.isInteger(Number(text)) && text !== "" && text !== null;
  if (whole(words.get("budget"))) chosen.budget = Math.min(end, Math.max(0, Number(words.get("budget"))));
  for (const text of (words.get("off") || "").split(",").filter(whole)) if (data.rows[text]) chosen.off.add(Number(text));
  for (const head of (words.get("hidden") || "").split("|").filter(Boolean)) chosen.hidden.add(head);
  for (const id of ["metric", "x"]) if ([...byId(id).options].some((o) => o.value === words.get(id))) byId(id).value = words.get(id);
  if (words.has("on")) for (const id of boxes) byId(id).checked = words.get("on").split(",").includes(id);
}

byId("footnote").textContent = data.footnote;
byId("meanings").append(...data.columns.flatMap((c) => [make("dt", {}, c.head), make("dd", {}, c.about)]));
Object.assign(byId("budget"), { max: end, value: end, disabled: end === 0 });
byId("budget").oninput = (e) => { chosen.budget = Number(e.target.value); draw(); };
byId("filter").oninput = (e) => { chosen.filter = e.target.value.toLowerCase(); drawTable(); };
options(byId("metric"), [...data.metrics.map((m) => [m.name, m.head]), ["searched", "searched F"]]);
byId("metric").value = data.main || "searched";
byId("x").value = data.unit;
if (!data.steps) byId("x").querySelector("[value=steps]").remove();
for (const id of ["metric", "x", ...boxes]) byId(id).onchange = () => { drawCurves(); remember(); };
recall();
byId("budget").value = chosen.budget;
const methods = data.rows.map((row, k) => {
  const box = make("input", { type: "checkbox", checked: !chosen.off.has(k) });
  box.onchange = () => { chosen.off[box.checked ? "delete" : "add"](k); draw(); };
  const label = make("label", { title: "double click: this one alone" }, box, swatch(row), row.label);
  label.ondblclick = () => only([k]);
  byId("methods").append(label);
  return box;
});
function only(rows) {
  chosen.off = new Set(methods.map((_, k) => k).filter((k) => !rows.includes(k)));
  methods.forEach((box, k) => { box.checked = rows.includes(k); });
  draw();
}
const all = make("button", { type: "button" }, "all");
all.onclick = () => only(methods.map((_, k) => k));
byId("methods").append(all);
drawColumns();
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
  make("button", { type: "button", className: "picture", title: "full size", onclick: (e) => e.currentTarget.classList.toggle("full") },
    make("img", { src: p.src, alt: p.name.replaceAll("_", " "), loading: "lazy" })),
  make("figcaption", {}, make("b", {}, p.name.replaceAll("_", " ")), p.about ? `: ${p.about}` : ""))));
drawEvery(null, false);
byId("fewer").hidden = data.runs.length === data.run_count;
byId("fewer").textContent = `The ${data.runs.length} runs of the lowest seeds, of ${data.run_count}: tables, means and statistics are of all, single runs and their curves of these. bench report on fewer has the others.`;
byId("get-csv").onclick = () => save("table1.csv", data.files[chosen.budget].csv, "text/csv");
byId("get-tex").onclick = () => save("table1.tex", data.files[chosen.budget].tex, "text/plain");
byId("get-differences").onclick = () => save("differences.csv", data.differences, "text/csv");
if (byId("get-statistics")) byId("get-statistics").onclick = () => save("statistics.csv", data.statistics, "text/csv");
byId("get-png").onclick = async () => save("curves.png", await (await savedCurves()).toImageURL("png", 2));
byId("get-svg").onclick = async () => save("curves.svg", await (await savedCurves()).toSVG(), "image/svg+xml");
byId("controls").onsubmit = (e) => e.preventDefault();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("hashchange", route);
draw();
route();
