// Least-squares polynomials through noisy values of a curve at fixed places; bias and variance are exact, not estimated.
explore.define("polynomials", (place, ui) => {
  const { random, said, short } = explore;
  const N = 12, GRID = 81, FITS = 20;
  const truth = t => Math.sin(2.6 * t) + 0.3 * t;
  const places = Array.from({ length: N }, (_, i) => -1 + 2 * (i + 0.5) / N), grid = Array.from({ length: GRID }, (_, i) => 0.96 * (-1 + 2 * i / (GRID - 1)));
  let seed = 1, parts = [];

  const view = explore.plot(ui.pictures, { label: "Fits to fresh samples of the curve", height: 270, x: [-1, 1], y: [-2.5, 2.5], left: 30 });
  view.ticks("y", [-2, -1, 0, 1, 2]);
  const errors = explore.plot(ui.pictures, { label: "Bias, variance and their sum against the degree", height: 200, x: [0, N - 1], y: [1e-4, 30], log: true, x_title: "degree of the polynomial", y_title: "mean squared error" });
  errors.ticks("x", [0, 2, 4, 6, 8, 10]);
  errors.ticks("y", [1e-4, 1e-2, 1], v => v === 1e-4 ? "0.0001" : String(v));
  const degree = ui.slider("degree", "degree", { min: 0, max: N - 1, value: 1 }, draw);
  const noise = ui.slider("noise", "standard deviation of the noise", { min: 0.1, max: 1, step: 0.1, value: 0.4, show: v => v.toFixed(1) }, compute);
  ui.buttons({ "fresh samples": () => { seed++; draw(); } });
  ui.numbers(["bias²", "variance", "bias² + variance", "training error of one fit"], { "bias²": "blue", "variance": "orange", "bias² + variance": "green" });

  // Polynomials that are orthonormal over the places, by the three-term recurrence: no ill-conditioned powers.
  function basis() {
    const rows = [places.map(() => 1 / Math.sqrt(N))], far = [grid.map(() => 1 / Math.sqrt(N))];
    const dot = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0);
    for (let k = 1; k < N; k++) {
      let near = places.map((t, i) => t * rows[k - 1][i]), away = grid.map((t, i) => t * far[k - 1][i]);
      for (let round = 0; round < 2; round++) for (let j = 0; j < k; j++) {
        const part = dot(near, rows[j]);
        near = near.map((value, i) => value - part * rows[j][i]);
        away = away.map((value, i) => value - part * far[j][i]);
      }
      const size = Math.sqrt(dot(near, near));
      rows.push(near.map(value => value / size));
      far.push(away.map(value => value / size));
    }
    return { rows, far, dot };
  }
  const { rows, far, dot } = basis();
  const fit = (y, d) => { const c = rows.slice(0, d + 1).map(row => dot(row, y)); return { on: sets => sets[0].map((_, i) => c.reduce((sum, value, k) => sum + value * sets[k][i], 0)) }; };
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;

  function compute() {
    const clean = places.map(truth);
    parts = Array.from({ length: N }, (_, d) => {
      const expected = fit(clean, d).on(far);
      const bias = mean(grid.map((t, i) => (expected[i] - truth(t)) ** 2));
      const variance = noise.value ** 2 * mean(grid.map((_, i) => far.slice(0, d + 1).reduce((sum, row) => sum + row[i] ** 2, 0)));
      return { bias, variance, total: bias + variance };
    });
    draw();
  }
  function draw() {
    const rng = random(50 + seed), d = degree.value, clean = places.map(truth), now = parts[d];
    const samples = Array.from({ length: FITS }, () => clean.map(value => value + noise.value * rng.normal()));
    view.clear();
    for (const y of samples) view.line(fit(y, d).on(far).map((value, i) => [grid[i], value]), "faint");
    view.line(grid.map(t => [t, truth(t)]), "line");
    view.line(fit(samples[0], d).on(far).map((value, i) => [grid[i], value]), "line orange");
    samples[0].forEach((value, i) => view.dot(places[i], value, "dot fill-blue", 5));
    errors.clear();
    for (const [part, colour] of [["bias", "blue"], ["variance", "orange"], ["total", "green"]]) {
      errors.line(parts.map((one, k) => [k, Math.max(one[part], 1e-4)]), `line ${colour}`);
      errors.dot(d, Math.max(now[part], 1e-4), `dot fill-${colour}`, 5);
    }
    const trained = mean(fit(samples[0], d).on(rows).map((value, i) => (value - samples[0][i]) ** 2));
    ui.tell("bias²", said(now.bias, short));
    ui.tell("variance", said(now.variance, short));
    ui.tell("bias² + variance", said(now.total, short));
    ui.tell("training error of one fit", trained < 1e-20 ? "0" : said(trained, short));
    const best = parts.reduce((found, one, k) => one.total < parts[found].total ? k : found, 0);
    ui.say(d === best ? "This degree has the least error." : d < best ? `Too simple: degree ${best} has the least error.` : d === N - 1 ? "Every label is fitted, and the curve between them is wild." : `Too wild: degree ${best} has the least error.`);
  }
  compute();
  return { state: () => ({ parts, degree: degree.value, places, noise: noise.value, grid }) };
});
