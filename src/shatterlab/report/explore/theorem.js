// The proof of theorem 1 in five steps: points, projection, thresholds, the triangular matrix, the network.
explore.define("theorem", (place, ui) => {
  const { add, random, said, short, finite } = explore;
  const STEPS = ["Any different points and any labels", "Project onto a direction a", "Put a threshold b before each point", "The matrix of the hidden units is triangular", "Solve it: the network passes through every label"];
  const GAP = 1e-6;
  let points = [], labels = [], grips = [], handles = [], solved = null;

  const plane = explore.plot(ui.pictures, { label: "The points in the plane and the direction a", width: 430, height: 300, x: [-1.43, 1.43], y: [-1, 1], left: 12, bottom: 14 });
  const line = explore.plot(ui.pictures, { label: "The labels above the projected points, and the network", width: 430, height: 260, x: [-1.5, 1.5], y: [-1.3, 1.3], left: 30, x_title: "x = ⟨a, z⟩", y_title: "label y" });
  line.ticks("y", [-1, 0, 1]);
  const lemma = add(ui.pictures, "div", { class: "lemma" });
  const stage = ui.slider("step", "step of the proof", { min: 1, max: 5, value: 1, show: v => `${v}: ${STEPS[v - 1]}` }, draw);
  const { "next step": next } = ui.buttons({ "next step": () => { stage.value = stage.value % 5 + 1; draw(); }, "random labels": () => { seed++; labels = labels.map(() => drawn.uniform() * 2 - 1); draw(); } });
  const n = ui.slider("n", "points n", { min: 2, max: 9, value: 5 }, fresh);
  const turn = ui.slider("direction", "direction of a", { min: 0, max: 175, step: 5, value: 20, show: v => `${v}°` }, draw);
  ui.numbers(["weights 2n + d", "largest error", "smallest eigenvalue"]);
  let seed = 1;
  const drawn = random(11);

  function fresh() {
    const rng = random(20 + n.value);
    points = [];
    while (points.length < n.value) {
      const one = [2.4 * rng.uniform() - 1.2, 1.6 * rng.uniform() - 0.8];
      if (points.every(other => Math.hypot(one[0] - other[0], one[1] - other[1]) > 0.35)) points.push(one);
    }
    labels = points.map(() => 2 * rng.uniform() - 1);
    [...grips, ...handles].forEach(one => one.remove());
    grips = points.map((_, i) => explore.grip(plane, `point ${i + 1} in the plane`, "blue", () => points[i], (u, v) => { points[i] = [u, v]; draw(); }));
    handles = points.map((_, i) => explore.grip(line, `label of point ${i + 1}`, "orange", () => [project(points[i]), labels[i]], (_, v) => { labels[i] = Math.max(-1.2, Math.min(1.2, v)); draw(); }));
    draw();
  }
  const a = () => [Math.cos(turn.value * Math.PI / 180), Math.sin(turn.value * Math.PI / 180)];
  const project = ([u, v]) => a()[0] * u + a()[1] * v;

  // The construction of the proof; null where two points fall on the same place.
  function construct() {
    const order = points.map((_, i) => i).sort((i, j) => project(points[i]) - project(points[j]));
    const x = order.map(i => project(points[i])), y = order.map(i => labels[i]);
    if (x.some((value, i) => i && value - x[i - 1] < GAP)) return null;
    const b = x.map((value, i) => i ? (x[i - 1] + value) / 2 : value - 0.25);
    const A = x.map(value => b.map(threshold => Math.max(value - threshold, 0)));
    const w = [];
    for (let i = 0; i < x.length; i++) w.push((y[i] - w.reduce((sum, weight, j) => sum + weight * A[i][j], 0)) / A[i][i]);
    return { order, x, y, b, A, w };
  }
  const network = (w, b, value) => w.reduce((sum, weight, j) => sum + weight * Math.max(value - b[j], 0), 0);
  function errorOf({ w, b }) { return Math.max(...points.map((point, i) => Math.abs(network(w, b, project(point)) - labels[i]))); }

  function draw() {
    solved = construct();
    const at = stage.value;
    plane.clear();
    line.clear();
    if (at >= 2) {
      const [p, q] = a();
      plane.line([[-1.4 * p, -1.4 * q], [1.4 * p, 1.4 * q]], "line");
      points.forEach(point => { const x = project(point); plane.line([point, [x * p, x * q]], "dash"); plane.dot(x * p, x * q, "fill-orange", 4); });
      plane.text(1.15 * p, 1.15 * q, "a");
    }
    if (solved && at >= 3) solved.b.forEach((threshold, j) => { line.upright(threshold); line.text(threshold, -1.22, `b${j + 1}`, "middle"); });
    if (solved && at >= 5) {
      // Between its kinks the network is a straight line, so that these corners are the whole of it.
      const corners = [-1.5, ...solved.b, ...solved.x, 1.5].sort((u, v) => u - v);
      line.line(corners.map(u => [u, network(solved.w, solved.b, u)]), "line orange");
    }
    line.picture.style.display = at >= 2 ? "" : "none";
    grips.forEach(one => one.place());
    handles.forEach(one => one.place());
    table(at);
    next.textContent = at === 5 ? "begin again" : "next step";
    ui.tell("weights 2n + d", `2 · ${points.length} + 2 = ${2 * points.length + 2}`);
    const error = solved ? errorOf(solved) : NaN, least = solved ? Math.min(...solved.A.map((row, i) => row[i])) : NaN;
    ui.tell("largest error", at >= 5 ? said(error, short) : "—");
    ui.tell("smallest eigenvalue", at >= 4 ? said(least, short) : "—");
    ui.say(solved ? ["The labels are any numbers. Drag the points.", "Each point becomes the number x = ⟨a, z⟩. Nearly every direction tells all points apart.",
      "b₁ < x₁ < b₂ < x₂ < …: each hidden unit begins to rise just before its point.",
      "Unit j is 0 at all points before its own: above the diagonal there are only zeros. The eigenvalues are the diagonal, all above 0.",
      finite(solved.w) ? "From the first row to the last, each weight sets one label right and disturbs none before it." : "A weight is not finite: move the points apart."][at - 1]
      : "Two points fall on the same place: turn the direction.");
  }
  function table(at) {
    lemma.textContent = "";
    if (!solved || at < 4) return;
    add(lemma, "p", {}, "Lemma 1: the matrix A with entries max(xᵢ − bⱼ, 0); its eigenvalues are the diagonal.");
    const scroll = add(lemma, "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The matrix of lemma 1" });
    const grid = add(scroll, "table"), head = add(add(grid, "thead"), "tr"), body = add(grid, "tbody");
    add(head, "td");
    solved.b.forEach((_, j) => add(head, "th", { scope: "col" }, `unit ${j + 1}`));
    if (at >= 5) add(head, "th", { scope: "col" }, "label");
    const least = Math.min(...solved.A.map((row, i) => row[i]));
    solved.A.forEach((row, i) => {
      const cells = add(body, "tr");
      add(cells, "th", { scope: "row" }, `x${i + 1}`);
      row.forEach((value, j) => add(cells, "td", { class: i === j ? (value === least ? "diagonal least" : "diagonal") : value === 0 ? "zero" : "" }, value === 0 ? "0" : value.toFixed(2)));
      if (at >= 5) add(cells, "td", {}, solved.y[i].toFixed(2));
    });
    if (at < 5) return;
    const cells = add(add(grid, "tfoot"), "tr");
    add(cells, "th", { scope: "row" }, "weight w");
    solved.w.forEach(weight => add(cells, "td", {}, said(weight, value => value.toFixed(2))));
    add(cells, "td");
  }
  fresh();
  return { state: () => ({ ...solved, points, labels, a: a(), error: solved ? errorOf(solved) : NaN, step: stage.value, shown: place.querySelector(".readout div:nth-child(2) dd").textContent }) };
});
