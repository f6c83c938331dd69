// Draws the views of a saved page, and sets what answers in it to work. Above this stand `modules`, sources as a notebook
// runs them, and `named`, the files among them that others import; `views` and `controls`: the place, the number of the
// module, and the traits of each; and `live`: the module that answers, the places of what it knows, facts and numbers.

// As much of anywidget's model as drawing needs.
function model(traits) {
  const listeners = {};
  for (const [name, value] of Object.entries(traits)) {
    if (value?.bytes !== undefined) traits[name] = decoded(value.bytes);
  }
  return {
    get: (name) => traits[name],
    set: (name, value) => {
      if (traits[name] === value) return;
      traits[name] = value;
      for (const call of listeners[`change:${name}`] ?? []) held ? held.add(call) : call();
    },
    on: (name, call) => (listeners[name] ??= []).push(call),
    save_changes: () => {},
  };
}

let held = null; // while several traits change: who is to hear of it, each once

function hold(change) {
  if (held) return change();
  held = new Set();
  try {
    change();
  } finally {
    const calls = held;
    held = null;
    for (const call of calls) call();
  }
}

function decoded(base64) {
  return new DataView(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
}

const urls = [];
for (const source of modules) {
  const linked = source.replace(/from "\.\/([\w-]+\.js)"/g, (_, file) => `from "${urls[named[file]]}"`);
  urls.push(URL.createObjectURL(new Blob([linked], { type: "text/javascript" })));
}

const models = {};
for (const { element, module, traits } of [...controls, ...views]) {
  models[element] = model(traits);
  const { default: widget } = await import(urls[module]);
  widget.render({ model: models[element], el: document.getElementById(element) });
}

// HTML that a kernel writes: its value is what stands there.
function written(element) {
  const place = document.getElementById(element), made = model({ value: place.innerHTML });
  made.on("change:value", () => (place.innerHTML = made.get("value")));
  return made;
}

// A page inside another one says how high it is, for no frame knows.
if (parent !== window) {
  const watcher = new ResizeObserver(() => parent.postMessage({ fixlipHeight: document.documentElement.scrollHeight }, "*"));
  watcher.observe(document.body);
}

if (live) {
  const parts = {};
  for (const [name, element] of Object.entries(live.parts)) parts[name] = models[element] ?? written(element);
  const { default: answer } = await import(urls[live.module]);
  await answer({ ...live, parts, hold });
  globalThis.fixlip = { ...globalThis.fixlip, parts }; // for whoever moves a page by a script
  document.documentElement.dataset.fixlip = "live";
}
