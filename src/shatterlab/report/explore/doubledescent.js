// Ridge regression on the first p of 160 fixed random ReLU features of points in 8 dimensions.
explore.define("doubledescent", (place, ui) => {
  const { random, solve, said, short } = explore;
  const P = 160, D = 8, SAMPLES = 11, TESTS = 60, NOISE = 0.5, SIZES = [10, 20, 30, 40];
  const shared = random(3);
  const directions = Array.from({ length: P }, () => Array.from({ length: D + 1 }, () => shared.normal() / Math.sqrt(D)));
  const teacher = Array.from({ length: D }, () => shared.normal() / Math.sqrt(D));
  const feature = (x, j) => Math.max(directions[j].reduce((sum, w, k) => sum + w * (k < D ? x[k] : 1), 0), 0);
  const target = x => x.reduce((sum, value, k) => sum + teacher[k] * value, 0);
  let curves = { train: [], test: [] };

  const view = explore.plot(ui.pictures, { label: "Train and test error against the number of features p", height: 330, x: [0, P], y: [1e-4, 1e3], log: true, y_title: "squared error (median of eleven samples)", x_title: "random features p" });
  view.ticks("x", [0, 40, 80, 120, 160]);
  view.ticks("y", [1e-4, 1e-2, 1, 100], v => v === 1e-4 ? "0.0001" : String(v));
  const p = ui.slider("p", "features p", { min: 1, max: P, value: 20 }, draw);
  const ridge = ui.slider("ridge", "ridge", { min: -8, max: 1, step: 0.5, value: -8, show: v => v === -8 ? "none (10⁻⁸)" : short(10 ** v) }, compute);
  const n = ui.slider("n", "training examples n", { values: SIZES, value: 20 }, compute);
  ui.numbers(["train error", "test error", "peak of the test error"], { "train error": "blue", "test error": "orange" });

  function drawn(seed, size) {
    const rng = random(seed), draw = () => Array.from({ length: D }, rng.normal);
    const X = Array.from({ length: size }, draw), Z = Array.from({ length: TESTS }, draw);
    return { X, Z, y: X.map(x => target(x) + NOISE * rng.normal()) };
  }
  // One more feature adds one product to each entry of the kernel matrix, so that a whole curve costs one solution for each p.
  function sample(seed, size, penalty) {
    const { X, Z, y } = drawn(seed, size);
    const K = X.map(() => new Float64Array(size)), T = Z.map(() => new Float64Array(size));
    const train = [], test = [];
    for (let j = 0; j < P; j++) {
      const phi = X.map(x => feature(x, j)), psi = Z.map(z => feature(z, j));
      for (let i = 0; i < size; i++) for (let k = 0; k < size; k++) K[i][k] += phi[i] * phi[k];
      for (let i = 0; i < TESTS; i++) for (let k = 0; k < size; k++) T[i][k] += psi[i] * phi[k];
      const alpha = solve(K.map((row, i) => row.map((value, k) => value + (i === k ? penalty : 0))), y);
      const error = (rows, truth) => rows.reduce((sum, row, i) => sum + (row.reduce((s, value, k) => s + value * alpha[k], 0) - truth[i]) ** 2, 0) / rows.length;
      train.push(error(K, y));
      test.push(error(T, Z.map(target)));
    }
    return { train, test };
  }
  const median = values => { const sorted = [...values].sort((u, v) => u - v); return sorted[sorted.length >> 1]; };
  function compute() {
    const samples = Array.from({ length: SAMPLES }, (_, s) => sample(1000 + s, n.value, 10 ** ridge.value));
    for (const part of ["train", "test"]) curves[part] = Array.from({ length: P }, (_, j) => median(samples.map(one => one[part][j])));
    draw();
  }
  function draw() {
    const points = part => curves[part].map((value, j) => [j + 1, value]), at = p.value - 1;
    const finite = curves.test.every(Number.isFinite), peak = curves.test.indexOf(Math.max(...curves.test)) + 1;
    view.clear();
    view.upright(n.value);
    view.text(n.value + 2, 400, "p = n");
    view.line(points("train").filter(([, v]) => v > 1e-4), "line blue");
    view.line(points("test"), "line orange");
    view.dot(p.value, Math.max(curves.train[at], 1e-4), "dot fill-blue", 6);
    view.dot(p.value, curves.test[at], "dot fill-orange", 6);
    ui.tell("train error", said(curves.train[at], short));
    ui.tell("test error", said(curves.test[at], short));
    ui.tell("peak of the test error", finite ? `at p = ${peak}` : "not finite");
    const where = p.value < n.value ? "Fewer features than examples: not every label can be fitted." : p.value === n.value ? "Exactly one fit passes through every label, however wild it has to be." : "Many fits pass through every label; this one is the smallest of them.";
    ui.say(finite ? (ridge.value > -4 ? "The ridge holds the fit back, so that no label has to be fitted exactly." : where) : "The errors are not finite: raise the ridge.");
  }
  compute();
  // For tests: the features, labels and errors of one sample, to be computed once more elsewhere.
  function problem(seed) {
    const rows = X => X.map(x => directions.map((_, j) => feature(x, j))), { X, Z, y } = drawn(seed, n.value);
    return { X: rows(X), Z: rows(Z), y, truth: Z.map(target), ...sample(seed, n.value, 10 ** ridge.value) };
  }
  return { state: () => ({ ...curves, n: n.value, p: p.value }), set: values => { n.value = values.n; ridge.value = values.ridge; compute(); }, problem };
});
