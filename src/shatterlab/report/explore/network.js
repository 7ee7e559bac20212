// A network with one hidden layer of ReLU units that fits the labels of 40 points in the plane, trained by Adam on all of them.
explore.define("network", (place, ui) => {
  const { random, said, percent, loop, calm } = explore;
  const N = 40, TESTS = 300, MOST = 20000, RATE = 0.02, WIDTHS = [2, 4, 8, 16, 32, 64, 128];
  const CONDITIONS = { "true labels": 0, "partial labels": 50, "random labels": 100, "shuffled axes": 0, "random axes": 0, "Gaussian points": 0 };
  const COLOURS = ["blue", "orange"];
  const truth = ([x, y]) => +(Math.sin(3 * x) * 0.5 > y);
  let redraws = 0;
  let points, labels, wrong, tests, answers, weights, moments, step, on = false, fittedAt, curve, finished = [];

  const view = explore.plot(ui.pictures, { label: "The points and what the network answers between them", width: 430, height: 430, x: [-1.1, 1.1], y: [-1.1, 1.1], left: 12, bottom: 14 });
  const stack = document.createElement("div"), canvas = document.createElement("canvas");
  stack.className = "stack";
  canvas.width = canvas.height = 54;
  view.picture.replaceWith(stack);
  stack.append(canvas, view.picture);
  const losses = explore.plot(ui.pictures, { label: "Training loss against steps", width: 430, height: 150, x: [0, 1000], y: [1e-3, 2], log: true, y_title: "training loss", x_title: "steps" });

  const NAMES = Object.keys(CONDITIONS);
  const chosen = ui.choice("condition", NAMES, () => { noise.value = CONDITIONS[chosen.value]; data(); start(); });
  const noise = ui.slider("noise", "labels replaced at random", { step: 10, value: 0, show: v => `${v} %` }, () => {
    if (chosen.value.endsWith("labels")) chosen.value = NAMES[noise.value === 0 ? 0 : noise.value === 100 ? 2 : 1];
    data();
  });
  const width = ui.slider("width", "hidden units", { values: WIDTHS, value: 128 }, () => { fresh(); });
  const { "start": go } = ui.buttons({ "start": () => { on ? pause() : start(); }, "new weights": () => { redraws++; fresh(); }, "new labels": () => { redraws++; data(); } });
  ui.numbers(["steps", "training loss", "train accuracy", "test accuracy", "corrupted points fitted"]);

  // Points keep a distance from each other, so that a network of finite width can tell them apart.
  function spread(rng, n, apart) {
    const found = [];
    for (let tried = 0; found.length < n && tried < 20000; tried++) {
      const one = [2 * rng.uniform() - 1, 2 * rng.uniform() - 1];
      if (Math.abs(Math.sin(3 * one[0]) * 0.5 - one[1]) > 0.06 && found.every(other => Math.hypot(one[0] - other[0], one[1] - other[1]) > apart)) found.push(one);
    }
    return found;
  }
  function data() {
    const rng = random(5), chance = random(100 + redraws), condition = chosen.value;
    const place = spread(rng, N, 0.17), asked = spread(rng, TESTS, 0);
    const true_labels = place.map(truth);
    answers = asked.map(truth);
    const changed = ([x, y]) => condition === "shuffled axes" ? [y, x] : condition === "random axes" ? (chance.uniform() < 0.5 ? [y, x] : [x, y])
      : condition === "Gaussian points" ? [0.45 * chance.normal(), 0.45 * chance.normal()].map(v => Math.max(-1.05, Math.min(1.05, v))) : [x, y];
    points = place.map(changed);
    tests = asked.map(changed);
    labels = true_labels.map(label => chance.uniform() * 100 < noise.value ? +(chance.uniform() < 0.5) : label);
    wrong = labels.map((label, i) => label !== true_labels[i]);
    fresh();
  }
  function fresh() {
    const h = width.value, rng = random(7 + redraws);
    weights = { a: new Float64Array(3 * h), v: new Float64Array(h), c: new Float64Array(1) };
    for (let j = 0; j < h; j++) {
      const angle = 2 * Math.PI * rng.uniform();
      // Each unit folds the plane along a line through its middle part, so that every region has folds near it.
      weights.a.set([2 * Math.cos(angle), 2 * Math.sin(angle), 2 * (2 * rng.uniform() - 1)], 3 * j);
      weights.v[j] = rng.normal() / Math.sqrt(h);
    }
    moments = Object.fromEntries(Object.entries(weights).map(([name, part]) => [name, [new Float64Array(part.length), new Float64Array(part.length)]]));
    step = 0;
    fittedAt = null;
    curve = [];
    draw();
  }
  function output(x, y) {
    const { a, v, c } = weights;
    let sum = c[0];
    for (let j = 0, k = 0; j < v.length; j++, k += 3) {
      const z = a[k] * x + a[k + 1] * y + a[k + 2];
      if (z > 0) sum += v[j] * z;
    }
    return sum;
  }
  function train() {
    const { a, v } = weights, g = { a: new Float64Array(a.length), v: new Float64Array(v.length), c: new Float64Array(1) };
    let loss = 0, fits = true;
    for (let i = 0; i < N; i++) {
      const [x, y] = points[i], z = output(x, y), sign = labels[i] ? 1 : -1;
      if (z > 0 !== (labels[i] === 1)) fits = false;
      loss += Math.log1p(Math.exp(-Math.abs(z))) + Math.max(-sign * z, 0);
      const slope = (1 / (1 + Math.exp(-z)) - labels[i]) / N;
      g.c[0] += slope;
      for (let j = 0, k = 0; j < v.length; j++, k += 3) {
        const hidden = a[k] * x + a[k + 1] * y + a[k + 2];
        if (hidden <= 0) continue;
        g.v[j] += slope * hidden;
        const back = slope * v[j];
        g.a[k] += back * x;
        g.a[k + 1] += back * y;
        g.a[k + 2] += back;
      }
    }
    if (fits) fittedAt ??= step;
    step++;
    const [first, second] = [1 - 0.9 ** step, 1 - 0.999 ** step];
    for (const [name, part] of Object.entries(weights)) {
      const [m, s] = moments[name], gradient = g[name];
      for (let k = 0; k < part.length; k++) {
        m[k] = 0.9 * m[k] + 0.1 * gradient[k];
        s[k] = 0.999 * s[k] + 0.001 * gradient[k] ** 2;
        part[k] -= RATE * (m[k] / first) / (Math.sqrt(s[k] / second) + 1e-8);
      }
    }
    return loss / N;
  }
  const right = (x, y, label) => +(output(x, y) > 0) === label;
  function state() {
    const fits = points.map(([x, y], i) => right(x, y, labels[i])), bad = fits.filter((_, i) => wrong[i]);
    return {
      step, fits, loss: curve.at(-1)?.[1] ?? NaN, condition: chosen.value, noise: noise.value, width: width.value, on,
      train: fits.filter(Boolean).length / N, test: tests.filter(([x, y], i) => right(x, y, answers[i])).length / TESTS,
      corrupted: bad.length, fitted: bad.filter(Boolean).length, fittedAt,
    };
  }
  function advance() {
    const until = performance.now() + 10;
    do {
      const loss = train();
      if (step === 1 || step % 10 === 0) curve.push([step, loss]);
      if (!Number.isFinite(loss)) { pause(); ui.say("The loss is not finite: draw new weights."); return; }
      if (step >= MOST || loss < 2e-3) { pause(); break; }
    } while (performance.now() < until);
  }
  function draw() {
    const now = state();
    if (now.train === 1) fittedAt ??= step;
    const brush = canvas.getContext("2d"), side = canvas.width, image = brush.createImageData(side, side);
    // The canvas covers the whole picture; its middle is the square of the axes.
    for (let row = 0, k = 0; row < side; row++) for (let column = 0; column < side; column++, k += 4) {
      const u = (column + 0.5) / side * 430, v = (row + 0.5) / side * 430;
      const z = output(-1.1 + (u - 12) / 394 * 2.2, 1.1 - (v - 14) / 402 * 2.2), strength = Math.min(1, Math.abs(z) / 4);
      image.data.set(z > 0 ? [213, 94, 0, 50 + 110 * strength] : [0, 114, 178, 50 + 110 * strength], k);
    }
    brush.putImageData(image, 0, 0);
    view.clear();
    points.forEach(([x, y], i) => {
      view.dot(x, y, `dot fill-${COLOURS[labels[i]]}${wrong[i] ? " wrong" : ""}`, 7);
      if (!now.fits[i]) view.dot(x, y, "miss", 3);
    });
    const last = Math.max(1000, ...[...finished, { curve }].map(one => one.curve.at(-1)?.[0] ?? 0));
    losses.x[1] = last;
    losses.scales.textContent = "";
    losses.ticks("x", [0, last / 2, last], v => Math.round(v).toLocaleString("en"));
    losses.ticks("y", [1e-3, 1e-2, 0.1, 1]);
    losses.clear();
    for (const one of finished) losses.line(thin(one.curve), "faint");
    losses.line(thin(curve), "line blue");
    ui.tell("steps", step.toLocaleString("en"));
    ui.tell("training loss", step ? said(now.loss, explore.short) : "—");
    ui.tell("train accuracy", said(now.train, percent));
    ui.tell("test accuracy", said(now.test, percent));
    ui.tell("corrupted points fitted", now.corrupted ? `${now.fitted} of ${now.corrupted}` : "none are corrupted");
    go.textContent = on ? "pause" : step ? "go on" : "start";
    const tested = `on 300 other points it is right in ${percent(now.test)}`;
    if (now.train === 1) ui.say(now.corrupted ? `All 40 labels are fitted since step ${fittedAt.toLocaleString("en")}, the ${now.corrupted} wrong ones too: memorized; ${tested}.` : `All 40 labels are fitted since step ${fittedAt.toLocaleString("en")}; ${tested}.`);
    else ui.say(step >= MOST ? `${width.value} units have not fitted all labels in ${MOST.toLocaleString("en")} steps; ${tested}.` : "");
  }
  const thin = points => points.filter((_, i) => i % Math.ceil(points.length / 200) === 0 || i === points.length - 1);
  function start() { if (step >= MOST || (curve.at(-1)?.[1] ?? 1) < 2e-3) { finished = [...finished.slice(-2), { curve }]; fresh(); } on = true; wake(); draw(); }
  function pause() { on = false; }
  let frames = 0;
  const wake = loop(place, () => {
    if (on) advance();
    // Where less motion is wanted, only what came out in the end is drawn.
    if (!on || !calm.matches || frames++ % 30 === 0) draw();
    return on;
  });
  data();
  // For tests: trains on at once, up to a number of steps or until all labels are fitted.
  return { state, set: (values) => { noise.value = values.noise; width.value = values.width; redraws = values.redraws ?? 0; data(); }, run: (most) => { while (step < most) { const loss = train(); if (step % 10 === 0) curve.push([step, loss]); if (step % 50 === 0 && state().train === 1) break; } draw(); return state(); } };
});
