// Draws the views of a saved page. Above this stand `modules`, sources as a notebook runs them, and `views`: the place,
// the number of the module, and the traits of each.

// As much of anywidget's model as drawing needs.
function model(traits) {
  const listeners = {};
  for (const [name, value] of Object.entries(traits)) {
    if (value?.bytes !== undefined) traits[name] = decoded(value.bytes);
  }
  return {
    get: (name) => traits[name],
    set: (name, value) => {
      traits[name] = value;
      for (const call of listeners[`change:${name}`] ?? []) call();
    },
    on: (name, call) => (listeners[name] ??= []).push(call),
    save_changes: () => {},
  };
}

function decoded(base64) {
  return new DataView(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
}

const urls = modules.map((source) => URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
for (const { element, module, traits } of views) {
  const { default: widget } = await import(urls[module]);
  widget.render({ model: model(traits), el: document.getElementById(element) });
}
