// Controls of a saved page, native ones, from the traits that a notebook's have.

let numbered = 0; // for ids, which tie a label to its control

function element(name, parent, properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  parent.append(made);
  return made;
}

// A control with its label before it; `show` brings it up to date.
function labelled(model, el, name, properties, show) {
  el.className = "fixlip-control";
  const id = `fixlip-control-${numbered++}`;
  const label = element("label", el, { htmlFor: id });
  const control = element(name, el, { id, ...properties });
  const follow = () => {
    label.textContent = model.get("description");
    control.disabled = model.get("disabled");
    show(control);
  };
  for (const trait of ["value", "disabled", "description", "options", "min", "max"]) model.on(`change:${trait}`, follow);
  return [control, follow];
}

function choose(model, value) {
  if (value === model.get("value")) return;
  model.set("value", value);
  model.save_changes();
}

// Over a range of numbers, or over a list of `options`.
function slider(model, el) {
  const options = () => model.get("options");
  const [control, follow] = labelled(model, el, "input", { type: "range" }, (input) => {
    const value = model.get("value"), choices = options();
    const [min, max, step] = choices ? [0, choices.length - 1, 1] : [model.get("min"), model.get("max"), model.get("step")];
    Object.assign(input, { min, max, step });
    const at = choices ? choices.indexOf(value) : value;
    if (Number(input.value) !== at) input.value = at;
    const told = choices || Number.isInteger(step) ? String(value) : value.toFixed(2);
    shown.textContent = told;
    input.setAttribute("aria-valuetext", told);
  });
  const shown = element("output", el);
  control.addEventListener("input", () => choose(model, options() ? options()[control.value] : Number(control.value)));
  follow();
}

function select(model, el) {
  const [control, follow] = labelled(model, el, "select", {}, (menu) => {
    const options = model.get("options");
    menu.replaceChildren(...options.map(([text]) => Object.assign(document.createElement("option"), { textContent: text })));
    menu.selectedIndex = options.findIndex(([, value]) => value === model.get("value"));
  });
  control.addEventListener("change", () => choose(model, model.get("options")[control.selectedIndex][1]));
  follow();
}

function checkbox(model, el) {
  const [control, follow] = labelled(model, el, "input", { type: "checkbox" }, (box) => {
    box.checked = model.get("value");
  });
  control.addEventListener("change", () => choose(model, control.checked));
  follow();
}

// Its value counts how often it was pressed.
function button(model, el) {
  el.className = "fixlip-control";
  const control = element("button", el, { type: "button", textContent: model.get("description") });
  control.addEventListener("click", () => choose(model, model.get("value") + 1));
}

// Goes on by one every `interval` milliseconds, up to `max`; from there it begins anew.
function play(model, el) {
  el.className = "fixlip-control";
  const control = element("button", el, { type: "button" }), name = model.get("description");
  let timer = null;
  const follow = () => {
    control.textContent = timer === null ? `▶ ${name}` : "❚❚ pause";
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    follow();
  };
  control.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (model.get("value") >= model.get("max")) choose(model, model.get("min"));
    timer = setInterval(() => {
      if (model.get("value") < model.get("max")) choose(model, model.get("value") + 1);
      if (model.get("value") >= model.get("max")) stop();
    }, model.get("interval"));
    follow();
  });
  follow();
}

const KINDS = { slider, select, checkbox, button, play };

export default { render: ({ model, el }) => KINDS[model.get("kind")](model, el) };
