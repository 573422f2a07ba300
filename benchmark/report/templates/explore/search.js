// where methods searched, and what they answered

function position(axis, value) {
  if (axis.kind === "choice") return (axis.values.indexOf(value) + 0.5) / axis.values.length;
  const to = axis.log ? Math.log : (v) => v;
  return (to(value) - to(axis.low)) / (to(axis.high) - to(axis.low));
}

const longest = (run) => Math.max(...run.trials.map((t) => t.steps));
const area = { field: "area", type: "quantitative", scale: null, legend: null };

async function drawSlice() {
  const axis = data.axes.find((a) => a.name === byId("axis").value);
  const text = axis.kind === "choice";
  const tried = data.runs.filter((r) => !chosen.off.has(r.row)).flatMap((r) => r.trials
    .filter((t) => t.loss !== null && axis.name in t.lam)
    .map((t) => named({ row: r.row, run: r.id, y: t.loss, v: t.lam[axis.name], steps: t.steps, area: t.steps === longest(r) ? 34 : 9 }, {})));
  const answers = stood().filter((p) => axis.name in p.lam).map((p) => named(p, { v: p.lam[axis.name] }));
  const x = { field: "v", type: text ? "nominal" : "quantitative", title: axis.name,
    ...(text ? { sort: axis.values } : { scale: { type: axis.log ? "log" : "linear", domain: [axis.low, axis.high], nice: false }, axis: { tickCount: 8 } }) };
  const ys = scaleOf(byId("slice-log").checked, tried.map((t) => t.y));
  const told = [{ field: "label", title: "method" }, { field: "run", title: "run" }, { ...x, title: axis.name }];
  const drawn = await drawIn("slice", [
    { data: { values: tried }, mark: { type: "point", filled: false, strokeWidth: 1, size: 26, opacity: 0.6 },
      encoding: { x, y: { field: "y", type: "quantitative", scale: { ...ys, range: [276, 0] }, title: "F of a trial" }, color: perRow("colour"),
        fill: filling(), shape: perRow("shape"), size: area, tooltip: [...told, number("y", "F"), number("steps", "steps")] } },
    { data: { values: answers }, mark: { type: "tick", thickness: 2, height: 16, ...(text ? {} : { orient: "vertical" }) },
      encoding: { x, y: { value: 292 }, color: perRow("colour"), tooltip: told } },
  ], 300);
  byId("slice-note").textContent = drawn
    ? `Points are evaluations of F of the whole search, at most ${data.trials_shown} a run; those of fewer steps than the run's longest are small. Marks at the lower edge are the answers at this budget. A click opens a run.`
    : "No chosen method has an answer at this budget.";
}

// how much each axis has to do with the best trials
function drawImportance() {
  const found = data.importance;
  byId("importance").hidden = !found.length;
  drawIn("importance", [{ data: { values: found }, mark: { type: "bar", height: { band: 0.7 } }, encoding: {
    y: { field: "axis", type: "nominal", sort: null, title: null },
    x: { field: "share", type: "quantitative", title: "share of what tells the best tenth of full trials from all; none: no more than chance", axis: { format: "%" } },
    color: { value: data.rows[0].colour },
    tooltip: [{ field: "axis", title: "axis" }, { field: "share", type: "quantitative", format: ".0%", title: "share" }] } }], 18 * found.length + 20);
}

async function drawAnswers() {
  const lines = stood().flatMap((p) => data.axes.filter((a) => a.name in p.lam).map((a) =>
    named({ row: p.row, run: p.run, axis: a.name, at: position(a, p.lam[a.name]), text: short(p.lam[a.name]) }, {})));
  const encoding = (more) => ({
    x: { field: "axis", type: "nominal", sort: data.axes.map((a) => a.name), title: null, axis: { labelAngle: -30 }, scale: { type: "point" } },
    y: { field: "at", type: "quantitative", scale: { domain: [0, 1] }, title: "place in the axis's range" },
    color: perRow("colour"), detail: { field: "run" }, ...more });
  const several = data.axes.length > 1 ? lines : [];
  await drawIn("answers", [
    { data: { values: several }, mark: { type: "line", opacity: 0.55, strokeWidth: 1.2 }, encoding: encoding({ strokeDash: perRow("dash") }) },
    { data: { values: several }, mark: { type: "point", filled: false, size: 20 },
      encoding: encoding({ fill: filling(), shape: perRow("shape"), tooltip: [{ field: "label", title: "method" }, { field: "run", title: "run" },
        { field: "axis", title: "axis" }, { field: "text", title: "value" }] }) },
  ], 260);
  byId("answers-head").hidden = byId("answers").hidden;
}

function drawSearch() {
  if (!data.axes.length) return;
  if (!byId("importance").childElementCount) drawImportance();
  drawSlice();
  drawAnswers();
}
