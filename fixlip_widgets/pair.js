// Image and caption of a pair: patches over the picture, words as buttons, lines between them.
// Conditioning on hover needs no kernel: all interactions are here.
const SVG = "http://www.w3.org/2000/svg";
const ENDS = [[33, 102, 172], [247, 247, 247], [178, 24, 43]];

function colour(value, scale) {
  const t = Math.max(-1, Math.min(1, scale > 0 ? value / scale : 0));
  const end = t < 0 ? ENDS[0] : ENDS[2];
  return ENDS[1].map((middle, k) => Math.round(middle + Math.abs(t) * (end[k] - middle)));
}
const css = (rgb) => `rgb(${rgb.join(",")})`;
const ink = (rgb) => (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2] > 140 ? "#111" : "#fff");
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(Math.abs(value) < 0.1 ? 3 : 2);
const floats = (data) => new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));

function element(name, parent, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "fixlip";
  el.append(root);
  let hovered = -1;
  let parts = null;

  const count = () => model.get("grid")[0] * model.get("grid")[1];
  const label = (player) => {
    const [, columns] = model.get("grid");
    if (player >= count()) return model.get("tokens")[player - count()];
    return `patch ${Math.floor(player / columns) + 1},${(player % columns) + 1}`;
  };

  function click(player) {
    if (model.get("mode") === "mask") {
      const present = [...model.get("present")];
      present[player] = !present[player];
      model.set("present", present);
      model.set("last", player);
    } else {
      model.set("selected", model.get("selected") === player ? -1 : player);
    }
    model.save_changes();
    paint();
  }

  function hover(player) {
    if (model.get("mode") === "explain") {
      hovered = player;
      paint();
    }
  }

  function build() {
    root.replaceChildren();
    const [rows, columns] = model.get("grid");
    const frame = document.createElement("div");
    frame.className = "picture";
    root.append(frame);
    const svg = element("svg", frame, { viewBox: `0 0 ${columns} ${rows}`, role: "group", "aria-label": "image patches" });
    element("image", svg, { href: model.get("image"), width: columns, height: rows, preserveAspectRatio: "none" });
    const patches = [];
    for (let k = 0; k < rows * columns; k++) {
      const patch = element("rect", svg, {
        x: k % columns, y: Math.floor(k / columns), width: 1, height: 1, class: "patch",
        role: "button", tabindex: k === 0 ? 0 : -1, "data-player": k,
      });
      patch.addEventListener("click", () => click(k));
      patch.addEventListener("mouseenter", () => hover(k));
      patch.addEventListener("mouseleave", () => hover(-1));
      patch.addEventListener("focus", () => hover(k));
      patch.addEventListener("blur", () => hover(-1));
      patch.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
        if (event.key === "Enter" || event.key === " ") click(k);
        else if (step !== undefined && patches[k + step]) patches[k + step].focus();
        else return;
        event.preventDefault();
      });
      patches.push(patch);
    }
    const numbers = element("g", svg);
    const chips = document.createElement("div");
    chips.className = "chips";
    root.append(chips);
    const buttons = model.get("tokens").map((token, t) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "chip";
      chip.dataset.player = count() + t;
      chip.append(token, document.createElement("small"));
      chip.addEventListener("click", () => click(count() + t));
      chip.addEventListener("mouseenter", () => hover(count() + t));
      chip.addEventListener("mouseleave", () => hover(-1));
      chips.append(chip);
      return chip;
    });
    const legend = document.createElement("div");
    legend.className = "legend";
    root.append(legend);
    const edges = element("svg", root, { class: "edges", "aria-hidden": "true" });
    parts = { svg, patches, numbers, buttons, legend, edges };
    paint();
  }

  function paint() {
    if (!parts) return;
    const masking = model.get("mode") === "mask";
    const present = model.get("present");
    const values = floats(model.get("values"));
    const all = floats(model.get("interactions"));
    const n = values.length;
    const condition = hovered >= 0 ? hovered : model.get("selected");
    const shown = masking || condition < 0 || !all.length ? values : all.slice(condition * n, (condition + 1) * n);
    const n_image = count();
    const most = (array) => array.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
    const fixed = model.get("scale");
    const joint = fixed > 0 ? fixed : most(shown);
    const apart = model.get("scaling") === "separate" && !(fixed > 0);
    const scales = apart ? [most(shown.slice(0, n_image)), most(shown.slice(n_image))] : [joint, joint];
    const strongest = new Set([...shown.keys()].slice(0, n_image).sort((a, b) => Math.abs(shown[b]) - Math.abs(shown[a])).slice(0, 6));
    parts.numbers.replaceChildren();
    const columns = model.get("grid")[1];
    parts.patches.forEach((patch, k) => {
      const value = shown[k];
      if (masking) {
        patch.setAttribute("fill", present[k] ? "transparent" : "rgb(128,128,128)");
        patch.setAttribute("fill-opacity", present[k] ? 0 : 1);
        patch.setAttribute("aria-pressed", present[k]);
        patch.setAttribute("aria-label", label(k));
        return;
      }
      patch.setAttribute("fill", css(colour(value, scales[0])));
      patch.setAttribute("fill-opacity", 0.25 + 0.6 * Math.min(1, Math.abs(value) / scales[0]));
      patch.setAttribute("aria-label", `${label(k)} ${signed(value)}`);
      if (strongest.has(k) && Math.abs(value) > 0.2 * scales[0]) {
        const text = element("text", parts.numbers, { x: (k % columns) + 0.5, y: Math.floor(k / columns) + 0.58, class: "number" });
        text.textContent = signed(value);
      }
    });
    if (!masking && condition >= 0 && condition < n_image) {
      element("rect", parts.numbers, { x: condition % columns, y: Math.floor(condition / columns), width: 1, height: 1, class: "chosen" });
    }
    parts.buttons.forEach((chip, t) => {
      const player = n_image + t;
      const rgb = colour(masking ? 0 : shown[player], scales[1]);
      chip.style.background = css(rgb);
      chip.style.color = ink(rgb);
      chip.classList.toggle("absent", masking && !present[player]);
      chip.classList.toggle("chosen-chip", !masking && condition === player);
      chip.setAttribute("aria-pressed", masking ? present[player] : condition === player);
      chip.querySelector("small").textContent = masking || condition === player ? "" : signed(shown[player]);
    });
    parts.legend.replaceChildren();
    if (!masking) {
      const bar = document.createElement("span");
      bar.className = "bar";
      parts.legend.append(`−${scales[0].toFixed(2)}`, bar, `+${scales[0].toFixed(2)} logits`);
    }
    root.dataset.condition = condition;
    root.dataset.shown = Array.from(shown.slice(0, 3), (value) => value.toFixed(4)).join(" ");
    line(masking || condition >= 0 ? [] : edges(all, n, n_image));
  }

  function edges(all, n, n_image) {
    const pairs = [];
    for (let i = 0; i < n_image; i++) for (let t = n_image; t < n; t++) pairs.push([Math.abs(all[i * n + t]), i, t, all[i * n + t]]);
    return pairs.sort((a, b) => b[0] - a[0]).slice(0, model.get("edges"));
  }

  function line(pairs) {
    parts.edges.replaceChildren();
    const at = root.getBoundingClientRect();
    if (!at.width || !pairs.length) return;
    const most = pairs[0][0] || 1;
    for (const [size, i, t, value] of pairs) {
      const a = parts.patches[i].getBoundingClientRect();
      const b = parts.buttons[t - count()].getBoundingClientRect();
      const from = [a.x + a.width / 2 - at.x, a.y + a.height / 2 - at.y];
      const to = [b.x + b.width / 2 - at.x, b.y - at.y];
      element("path", parts.edges, {
        d: `M${from} C${from[0]},${(from[1] + to[1]) / 2} ${to[0]},${(from[1] + to[1]) / 2} ${to}`,
        fill: "none", stroke: value < 0 ? "#2166ac" : "#b2182b", "stroke-width": 1.5 + 2.5 * (size / most),
        "stroke-dasharray": value < 0 ? "6 4" : "none", opacity: 0.85,
      });
    }
  }

  for (const name of ["image", "tokens", "grid"]) model.on(`change:${name}`, build);
  for (const name of ["values", "interactions", "present", "selected", "mode", "scale", "scaling", "edges"]) {
    model.on(`change:${name}`, paint);
  }
  build();
  const watcher = new ResizeObserver(paint);
  watcher.observe(root);
  return () => watcher.disconnect();
}

export default { render };
