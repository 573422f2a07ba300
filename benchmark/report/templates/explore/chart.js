// what all charts share

// while a picture is saved: on white, with a title and a legend, for it stands alone
let saving = false;
const printed = { "--ink": "#1c1f24", "--soft": "#565c66", "--paper": "#fff", "--line": "#c9ced6" };

const theme = () => {
  if (saving) return (name) => printed[name];
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
};

const shownRows = () => data.rows.map((_, k) => k).filter((k) => !chosen.off.has(k));

// the page's own is what rows are chosen by
const legendOf = () => (saving ? { title: null, labelLimit: 400 } : null);

// a channel of Vega-Lite by which methods are told apart
function perRow(look) {
  const rows = shownRows().map((k) => data.rows[k]);
  return { field: "label", type: "nominal", legend: legendOf(),
    scale: { domain: rows.map((r) => r.label), range: rows.map((r) => r[look]) } };
}

// of a point, whose line is its method's colour: a method's further rows are hollow
function filling() {
  const rows = shownRows().map((k) => data.rows[k]);
  const paper = theme()("--paper");
  return { field: "label", type: "nominal", legend: legendOf(),
    scale: { domain: rows.map((r) => r.label), range: rows.map((r) => (r.hollow ? paper : r.colour)) } };
}

const named = (p, more) => ({ ...p, ...more, label: data.rows[p.row].label });

const number = (field, title) => ({ field, type: "quantitative", format: ",.5~r", title });

const scaleOf = (log, values) => (log && values.every((v) => v > 0)
  ? { type: "log", nice: false } : { type: "linear", zero: false, nice: false });

// what stood in each run at the chosen budget
function stood() {
  const last = new Map();
  for (const p of data.points) if (p.mark <= chosen.budget && !chosen.off.has(p.row)) last.set(p.run, p);
  return [...last.values()];
}

const drawing = { actions: false, renderer: "svg" };

function specOf(layer, height) {
  const colour = theme();
  const axis = { labelColor: colour("--ink"), titleColor: colour("--ink"), gridColor: colour("--line"),
    domainColor: colour("--soft"), tickColor: colour("--soft") };
  return { height, background: colour("--paper"), layer, data: { values: [] },
    config: { axis, view: { stroke: null }, font: "system-ui, sans-serif" } };
}

// a picture for a file
async function drawAlone(layer, height) {
  const title = { text: data.title, anchor: "start", fontSize: 13 };
  const found = { ...specOf(layer, height), width: 640, title, padding: 10 };
  return (await vegaEmbed(make("div", {}), found, drawing)).view;
}

// draws into an element, which is hidden where there is nothing; the Vega view, or null
async function drawIn(id, layers, height) {
  const layer = layers.filter((l) => l.data.values.length);
  if (saving) return layer.length ? drawAlone(layer, height) : null;
  byId(id).hidden = !layer.length;
  if (!layer.length) return null;
  const drawn = (await vegaEmbed(byId(id), { ...specOf(layer, height), width: "container" }, drawing)).view;
  // a point leads to its run
  drawn.addEventListener("click", (_, item) => {
    if (item && item.datum && item.datum.run && known.has(item.datum.run)) location.hash = `run=${item.datum.run}`;
  });
  return drawn;
}

const known = new Set(data.runs.map((r) => r.id));
