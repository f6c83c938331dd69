// Arrays of a saved page: unpacked from what `fixlip_widgets.live.Numbers` packs, and series summed at any p.

// A function from where an array is stored to its numbers, a Float32Array made once.
export async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = bytes.length / 4, known = new Map();
  const whole = (k) => {
    const code = bytes[k] + 256 * (bytes[count + k] + 256 * (bytes[2 * count + k] + 256 * bytes[3 * count + k]));
    return code % 2 ? -(code + 1) / 2 : code / 2;
  };
  return ({ at, shape, step }) => {
    const size = shape.reduce((product, length) => product * length, 1), key = `${at} ${size}`;
    if (!known.has(key)) known.set(key, Float32Array.from({ length: size }, (_, k) => step * whole(at + k)));
    return known.get(key);
  };
}

// Chebyshev polynomials T_0, T_1, ... of p, which lies between low and high.
export function chebyshev(p, [low, high], count) {
  const x = (2 * p - low - high) / (high - low), found = [1, x];
  while (found.length < count) found.push(2 * x * found.at(-1) - found.at(-2));
  return found.slice(0, count);
}

// Weights of values at as many Chebyshev nodes, between which lines are straight.
export function between(p, [low, high], count) {
  const nodes = Array.from({ length: count }, (_, k) => (low + high - (high - low) * Math.cos((Math.PI * (k + 0.5)) / count)) / 2);
  const right = nodes.findIndex((node) => node >= p), found = new Array(count).fill(0);
  if (right <= 0) {
    found[right < 0 ? count - 1 : 0] = 1;
    return found;
  }
  found[right] = (p - nodes[right - 1]) / (nodes[right] - nodes[right - 1]);
  found[right - 1] = 1 - found[right];
  return found;
}

// The sum of a series whose terms stand one after the other.
export function summed(terms, weights) {
  const size = terms.length / weights.length, total = new Float32Array(size);
  weights.forEach((weight, k) => {
    const from = k * size;
    for (let i = 0; i < size; i++) total[i] += weight * terms[from + i];
  });
  return total;
}
