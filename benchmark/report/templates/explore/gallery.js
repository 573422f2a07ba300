// the gallery at the chosen budget

function drawGallery() {
  const [seed, prompt] = [byId("seed").value, byId("prompt").value];
  const own = data.runs.filter((r) => String(r.seed) === seed && r.prompt === prompt && !chosen.off.has(r.row));
  const figures = own.map((run) => {
    const stood = data.points.filter((p) => p.run === run.id && p.mark <= chosen.budget).pop();
    const label = data.rows[run.row].label;
    const caption = make("figcaption", {}, make("b", {}, label), " ");
    if (!stood) return make("figure", {}, make("figcaption", {}, `${label}: no answer yet`));
    const scores = data.metrics.filter((m) => m.name in stood.m).map((m) => `${m.head} ${short(stood.m[m.name])}`);
    caption.append(scores.join(", "), " ", make("a", { href: `#run=${run.id}` }, "run"),
      make("details", {}, make("summary", {}, "lam"), listed(stood.lam)));
    const source = run.images && (run.images[stood.test] || null);
    const image = source ? [make("img", { src: source, alt: `Images of ${label} at seed ${seed}` })]
      : [make("p", {}, run.images ? "No picture of this mark." : "Left out of the page for its size.")];
    return make("figure", {}, ...image, caption);
  });
  byId("strips").replaceChildren(...(figures.length ? figures : [make("p", {}, "No run of this seed and prompt.")]));
}
