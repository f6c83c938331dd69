// A scene in which a badge or a written word is put down by hand, or objects are painted in another colour.
//
// The picture itself comes from Python. Here are the outline that follows pointer and arrow keys, and what a click means.

const SVG = "http://www.w3.org/2000/svg";
const STEP = 4; // units that an arrow key moves the outline

function element(name, parent, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

// Where the middle of a thing of this size can be, at or next to a spot, so that all of it is inside.
export function inside([x, y], [width, height], units) {
  return [clamp(x, width / 2, units - width / 2), clamp(y, height / 2, units - height / 2)];
}

// The patch that a spot is on, as rulers count: row, column.
export function patchAt([x, y], [rows, columns], units) {
  const one = (along, count) => clamp(Math.floor((along * count) / units), 0, count - 1) + 1;
  return `${one(y, rows)},${one(x, columns)}`;
}

function build(view) {
  const { model, root } = view;
  const units = model.get("units"), live = model.get("live");
  root.replaceChildren();
  const svg = element("svg", root, { viewBox: `0 0 ${units} ${units}`, role: "group", "aria-label": model.get("name") });
  view.photo = element("image", svg, { width: units, height: units, href: model.get("image") });
  drawGrid(svg, model.get("grid"), units);
  view.spot = spotOf(model);
  view.outline = live && model.get("thing").length ? buildOutline(view, svg) : null;
  if (!view.outline) model.get("boxes").forEach((box, k) => live && buildObject(view, svg, box, k));
  const line = (name, text) => Object.assign(document.createElement("div"), { className: name, textContent: text });
  view.told = line("told", model.get("words"));
  view.told.setAttribute("role", "status");
  root.append(view.told, ...(live ? [line("hint", model.get("hint"))] : []));
}

const spotOf = (model) => {
  const at = model.get("at"), middle = model.get("units") / 2;
  return at.length ? [...at] : [middle, middle];
};

function drawGrid(svg, [rows, columns], units) {
  const lines = [];
  for (let k = 1; k < columns; k++) lines.push(`M${(units * k) / columns},0V${units}`);
  for (let k = 1; k < rows; k++) lines.push(`M0,${(units * k) / rows}H${units}`);
  element("path", svg, { d: lines.join(""), class: "grid" });
}

// ---- a thing to be put down

function buildOutline(view, svg) {
  const [width, height] = view.model.get("thing"), round = view.model.get("round");
  const attributes = { class: "outline", role: "button", tabindex: 0, "data-lm-suppress-shortcuts": true };
  const outline = element("g", svg, attributes);
  for (const kind of ["halo", "line"]) {
    element("rect", outline, { x: -width / 2, y: -height / 2, width, height, rx: round ? width / 2 : 1.5, class: kind });
  }
  outline.addEventListener("keydown", (event) => press(view, event));
  outline.addEventListener("blur", () => move(view, spotOf(view.model)));
  svg.classList.add("placing");
  svg.addEventListener("pointermove", (event) => move(view, spotUnder(svg, event, view.model.get("units"))));
  svg.addEventListener("pointerleave", () => move(view, spotOf(view.model)));
  svg.addEventListener("click", (event) => put(view, spotUnder(svg, event, view.model.get("units"))));
  view.outline = outline;
  move(view, view.spot);
  return outline;
}

function spotUnder(svg, event, units) {
  const box = svg.getBoundingClientRect();
  return [(units * (event.clientX - box.left)) / box.width, (units * (event.clientY - box.top)) / box.height];
}

function move(view, spot) {
  const { model } = view, units = model.get("units");
  view.spot = inside(spot, model.get("thing"), units);
  const [x, y] = view.spot.map((one) => Math.round(one));
  view.outline.setAttribute("transform", `translate(${view.spot.join(" ")})`);
  const where = `${x} across and ${y} down of ${units}, on patch ${patchAt(view.spot, model.get("grid"), units)}`;
  const keys = "arrow keys move it, Enter puts it there, Delete takes it away";
  view.outline.setAttribute("aria-label", `${model.get("named")}: ${where}; ${keys}`);
}

function put(view, spot) {
  view.model.set("at", spot ? inside(spot, view.model.get("thing"), view.model.get("units")) : []);
  view.model.save_changes();
}

function press(view, event) {
  const step = event.shiftKey ? 1 : STEP;
  const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  if (by) move(view, [view.spot[0] + by[0], view.spot[1] + by[1]]);
  else if (event.key === "Enter" || event.key === " ") put(view, view.spot);
  else if (event.key === "Delete" || event.key === "Backspace") put(view, null);
  else return;
  event.preventDefault();
}

// ---- objects to be painted

function buildObject(view, svg, [left, top, right, bottom], k) {
  const { model } = view, name = model.get("objects")[k], tint = model.get("tints")[k];
  const object = element("rect", svg, {
    x: left, y: top, width: right - left, height: bottom - top, rx: 3, class: "object", role: "button", tabindex: 0,
    "data-lm-suppress-shortcuts": true, "aria-label": `${name}, ${tint || "its own colour"}; Enter gives it the next colour`,
  });
  element("title", object).textContent = `${name}: click for the next colour`;
  const paint = () => {
    const palette = model.get("palette"), tints = [...model.get("tints")];
    tints[k] = palette[(palette.indexOf(tints[k]) + 1) % palette.length];
    view.painted = k;
    model.set("tints", tints);
    model.save_changes();
  };
  object.addEventListener("click", paint);
  object.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    paint();
  });
}

// What is built anew loses the focus: it goes back to where it was.
function rebuild(view) {
  const focusable = () => [...view.root.querySelectorAll("[tabindex]")];
  const at = focusable().indexOf(view.root.getRootNode().activeElement);
  build(view);
  if (at >= 0) focusable()[at]?.focus();
}

const BUILT_ANEW = ["thing", "boxes", "tints", "grid", "named", "live", "hint"];

function render({ model, el }) {
  const view = { model, root: document.createElement("div") };
  view.root.className = "fixlip-scene";
  el.append(view.root);
  build(view);
  for (const name of BUILT_ANEW) model.on(`change:${name}`, () => rebuild(view));
  model.on("change:image", () => view.photo.setAttribute("href", model.get("image")));
  model.on("change:words", () => (view.told.textContent = model.get("words")));
  model.on("change:at", () => view.outline && move(view, spotOf(model)));
}

export default { render };
