// A small CLIP or SigLIP in the page: masked pictures and captions to unit-norm embeddings, in plain JavaScript.
//
// The layers and their names are those of transformers; weights come as they are stored, in half precision, and are
// computed with in single precision, sums in double.

// ---- weights

// Half-precision numbers, whose low bytes come first and high bytes behind, as single-precision ones.
export async function weightsOf({ packed, tensors }) {
  const zipped = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = bytes.length / 2, weights = {};
  let from = 0;
  for (const [name, size] of tensors) {
    const found = (weights[name] = new Float32Array(size));
    for (let k = 0; k < size; k++) found[k] = half(bytes[from + k] | (bytes[count + from + k] << 8));
    from += size;
  }
  return weights;
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

// ---- layers; states are rows one after the other

// x W^T + b, four rows and two outputs at a time, so that each number read serves several products.
function linear(x, weight, bias, inputs) {
  const rows = x.length / inputs, outputs = weight.length / inputs, y = new Float32Array(rows * outputs);
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const a = row * inputs, b = a + inputs, c = b + inputs, d = c + inputs;
    for (let out = 0; out + 2 <= outputs; out += 2) {
      const even = out * inputs, odd = even + inputs;
      let s = bias ? bias[out] : 0, t = s, u = s, v = s;
      let S = bias ? bias[out + 1] : 0, T = S, U = S, V = S;
      for (let k = 0; k < inputs; k++) {
        const w = weight[even + k], W = weight[odd + k];
        const xa = x[a + k], xb = x[b + k], xc = x[c + k], xd = x[d + k];
        s += w * xa;
        t += w * xb;
        u += w * xc;
        v += w * xd;
        S += W * xa;
        T += W * xb;
        U += W * xc;
        V += W * xd;
      }
      const p = row * outputs + out, q = p + outputs, r = q + outputs, z = r + outputs;
      y[p] = s;
      y[q] = t;
      y[r] = u;
      y[z] = v;
      y[p + 1] = S;
      y[q + 1] = T;
      y[r + 1] = U;
      y[z + 1] = V;
    }
    if (outputs % 2) for (let down = 0; down < 4; down++) one(row + down, outputs - 1);
  }
  for (; row < rows; row++) for (let out = 0; out < outputs; out++) one(row, out);
  return y;

  function one(row, out) {
    let sum = bias ? bias[out] : 0;
    for (let k = 0; k < inputs; k++) sum += weight[out * inputs + k] * x[row * inputs + k];
    y[row * outputs + out] = sum;
  }
}

function normed(x, weight, bias, epsilon) {
  const width = weight.length, y = new Float32Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    let mean = 0, spread = 0;
    for (let k = 0; k < width; k++) mean += x[from + k] / width;
    for (let k = 0; k < width; k++) spread += (x[from + k] - mean) ** 2 / width;
    const by = 1 / Math.sqrt(spread + epsilon);
    for (let k = 0; k < width; k++) y[from + k] = (x[from + k] - mean) * by * weight[k] + bias[k];
  }
  return y;
}

const ACTIVATIONS = {
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  gelu_pytorch_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

function added(x, y) {
  for (let k = 0; k < x.length; k++) x[k] += y[k];
  return x;
}

// Every query over the keys that `sees(query, key)` lets it; all without one.
function attention(q, k, v, width, heads, sees) {
  const queries = q.length / width, keys = k.length / width, size = width / heads, scale = 1 / Math.sqrt(size);
  const y = new Float32Array(q.length), shares = new Float64Array(keys);
  for (let row = 0; row < queries; row++) {
    for (let head = 0; head < heads; head++) {
      const from = row * width + head * size;
      let most = -Infinity, total = 0;
      for (let key = 0; key < keys; key++) {
        const other = key * width + head * size;
        let sum = 0;
        for (let i = 0; i < size; i++) sum += q[from + i] * k[other + i];
        shares[key] = sees && !sees(row, key) ? -Infinity : sum * scale;
        if (shares[key] > most) most = shares[key];
      }
      for (let key = 0; key < keys; key++) total += shares[key] = Math.exp(shares[key] - most);
      for (let key = 0; key < keys; key++) {
        const share = shares[key] / total, other = key * width + head * size;
        if (share) for (let i = 0; i < size; i++) y[from + i] += share * v[other + i];
      }
    }
  }
  return y;
}

// ---- the towers

function unit(x) {
  const length = Math.hypot(...x);
  return x.map((value) => value / length);
}

export function encoderOf({ config, weights }) {
  const { width, heads, epsilon, siglip, patch, size } = config, activate = ACTIVATIONS[config.activation];
  const weigh = (name, x, inputs) => linear(x, weights[`${name}.weight`], weights[`${name}.bias`], inputs);
  const norm = (name, x) => normed(x, weights[`${name}.weight`], weights[`${name}.bias`], epsilon);
  const mlp = (name, x) => weigh(`${name}.fc2`, weigh(`${name}.fc1`, x, width).map(activate), 2 * width);

  // Of the last layer only the rows from `from` on to `to` are wanted.
  function block(name, x, sees, from = 0, to = x.length / width) {
    const inside = norm(`${name}.layer_norm1`, x), rows = (states) => states.subarray(from * width, to * width);
    const [q, k, v] = ["q", "k", "v"].map((one) => weigh(`${name}.self_attn.${one}_proj`, one === "q" ? rows(inside) : inside, width));
    const shifted = sees && ((row, key) => sees(row + from, key));
    const met = weigh(`${name}.self_attn.out_proj`, attention(q, k, v, width, heads, shifted), width);
    const states = added(met, rows(x));
    return added(mlp(`${name}.mlp`, norm(`${name}.layer_norm2`, states)), states);
  }

  function blocks(tower, layers, x, sees, from, to) {
    for (let layer = 0; layer < layers - 1; layer++) x = block(`${tower}.encoder.layers.${layer}`, x, sees);
    return block(`${tower}.encoder.layers.${layers - 1}`, x, sees, from, to);
  }

  // Pixels (3, size, size) as rows of patches, each in the order of the weights.
  function cut(pixels) {
    const side = Math.floor(size / patch), rows = new Float32Array(side * side * 3 * patch * patch);
    let at = 0;
    for (let row = 0; row < side; row++) for (let column = 0; column < side; column++)
      for (let colour = 0; colour < 3; colour++) for (let y = 0; y < patch; y++) for (let x = 0; x < patch; x++)
        rows[at++] = pixels[(colour * size + row * patch + y) * size + column * patch + x];
    return rows;
  }

  function image(pixels) {
    const name = "vision_model.embeddings", inputs = 3 * patch * patch;
    let x = linear(cut(pixels), weights[`${name}.patch_embedding.weight`], weights[`${name}.patch_embedding.bias`], inputs);
    if (!siglip) x = Float32Array.of(...weights[`${name}.class_embedding`], ...x);
    x = added(x, weights[`${name}.position_embedding.weight`]);
    if (siglip) return unit(pooledByAttention(norm("vision_model.post_layernorm", blocks("vision_model", config.layers[0], x))));
    x = blocks("vision_model", config.layers[0], norm("vision_model.pre_layrnorm", x), null, 0, 1);
    return unit(linear(norm("vision_model.post_layernorm", x), weights["visual_projection.weight"], null, width));
  }

  function pooledByAttention(x) {
    const name = "vision_model.head", all = weights[`${name}.attention.in_proj_weight`], bias = weights[`${name}.attention.in_proj_bias`];
    const part = (states, k) => linear(states, all.subarray(k * width * width, (k + 1) * width * width), bias.subarray(k * width, (k + 1) * width), width);
    const met = attention(part(weights[`${name}.probe`], 0), part(x, 1), part(x, 2), width, heads);
    const pooled = weigh(`${name}.attention.out_proj`, met, width);
    return added(mlp(`${name}.mlp`, norm(`${name}.layernorm`, pooled)), pooled);
  }

  function text(ids, present) {
    const name = "text_model.embeddings", last = ids.length - 1;
    const tokens = weights[`${name}.token_embedding.weight`], x = weights[`${name}.position_embedding.weight`].slice(0, ids.length * width);
    ids.forEach((id, row) => added(x.subarray(row * width, (row + 1) * width), tokens.subarray(id * width, (id + 1) * width)));
    const sees = (row, key) => present[key] && (siglip || key <= row);
    const end = norm("text_model.final_layer_norm", blocks("text_model", config.layers[1], x, sees, last, last + 1));
    return unit(siglip ? weigh("text_model.head", end, width) : linear(end, weights["text_projection.weight"], null, width));
  }

  return { image, text };
}

// ---- the game

// The similarity of the masked pair, logits, for masks of booleans; what was encoded is remembered.
export function gameOf({ scale, bias, ids, owners, n_image }, { pixels, regions, baseline }, encoder) {
  const images = new Map(), texts = new Map();
  const remembered = (known, mask, make) => {
    const key = mask.map(Number).join("");
    if (!known.has(key)) known.set(key, make(mask));
    return known.get(key);
  };
  const image = (mask) => {
    const masked = pixels.map((value, k) => {
      const player = regions[k % regions.length];
      return player >= 0 && mask[player] ? value : baseline ? baseline[k] : 0;
    });
    return encoder.image(masked);
  };
  const text = (mask) => encoder.text(ids, owners.map((player) => player < 0 || mask[player]));
  return (mask) => {
    const a = remembered(images, mask.slice(0, n_image), image), b = remembered(texts, mask.slice(n_image), text);
    return scale * a.reduce((sum, value, k) => sum + value * b[k], 0) + bias;
  };
}
