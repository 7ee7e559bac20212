// Three examples in one direction and two weights: gradient descent and SGD to a line of solutions.
explore.define("descent", (place, ui) => {
  const { random, said } = explore;
  const U = [0.8, 0.6], SIZES = [0.6, 1, 1.3], LEVEL = 1.2, STEPS = 400;  // the examples are SIZES times U, and y = LEVEL times the size
  const X = SIZES.map(size => U.map(u => size * u)), y = SIZES.map(size => LEVEL * size);
  const least = U.map(u => LEVEL * u);
  let start = [-1.2, 0.6], ends = {};

  const view = explore.plot(ui.pictures, { label: "The plane of the two weights", width: 430, height: 430, x: [-2, 2], y: [-2, 2], left: 34, x_title: "first weight", y_title: "second weight" });
  view.ticks("x", [-2, -1, 0, 1, 2]);
  view.ticks("y", [-2, -1, 0, 1, 2]);
  const rate = ui.slider("rate", "learning rate", { min: 0.05, max: 0.5, step: 0.05, value: 0.2, show: v => v.toFixed(2) }, draw);
  ui.buttons({ "start from zero": () => { start = [0, 0]; draw(); }, "another start": () => { start = [rng.uniform() * 3.6 - 1.8, rng.uniform() * 3.6 - 1.8]; draw(); } });
  ui.numbers(["norm where gradient descent ends", "norm where SGD ends", "least norm of all solutions"], { "norm where gradient descent ends": "orange", "norm where SGD ends": "blue", "least norm of all solutions": "green" });
  const rng = random(4);
  const grip = explore.grip(view, "start of the descent", "orange", () => start, (u, v) => { start = [u, v]; draw(); });

  const dot = (p, q) => p[0] * q[0] + p[1] * q[1];
  const moved = (w, slope, x) => [w[0] - slope * x[0], w[1] - slope * x[1]];
  function descend(examples) {
    const path = [start];
    for (let t = 0; t < STEPS; t++) {
      const w = path.at(-1), chosen = examples(t);
      path.push(chosen.reduce((v, i) => moved(v, rate.value / chosen.length * (dot(w, X[i]) - y[i]), X[i]), w));
    }
    return path;
  }
  function draw() {
    const order = random(9), all = [0, 1, 2];
    const paths = { gradient: descend(() => all), sgd: descend(() => [Math.floor(3 * order.uniform())]) };
    ends = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, path.at(-1)]));
    const norm = w => Math.hypot(...w), across = [-U[1], U[0]];
    view.clear();
    view.line([-4, 4].map(s => [least[0] + s * across[0], least[1] + s * across[1]]), "line green");
    view.line([[0, 0], least], "dash");
    view.line(paths.gradient, "line orange");
    paths.gradient.slice(1, 25).forEach(w => view.dot(...w, "fill-orange", 3));
    paths.sgd.slice(1, 25).forEach(w => view.dot(...w, "ring blue", 6));
    view.dot(...least, "ring green", 11);
    view.dot(0, 0, "fill-blue", 3);
    grip.place();
    ui.tell("norm where gradient descent ends", said(norm(ends.gradient), v => v.toFixed(3)));
    ui.tell("norm where SGD ends", said(norm(ends.sgd), v => v.toFixed(3)));
    ui.tell("least norm of all solutions", norm(least).toFixed(3));
    const left = dot(start, across), lasting = Math.abs(left) < 0.005;
    ui.say(!explore.finite([...ends.gradient, ...ends.sgd]) ? "Descent does not end: lower the learning rate."
      : lasting ? "From here descent ends at the solution of least norm: the start has no part across the data."
      : `The part of the start across the data, ${Math.abs(left).toFixed(2)} long, is still there in the end: no step can change it.`);
  }
  draw();
  return { state: () => ({ ...ends, least, start, X, y }), set: values => { start = values; draw(); } };
});
