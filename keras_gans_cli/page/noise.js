// The noise of a seed: Philox 4x32-10 and normal numbers from it, those of keras_gans_core/philox.py.

function philox([c0, c1, c2, c3], [k0, k1]) {
  for (let round = 0; round < 10; round++) {
    const low = 0xD2511F53n * BigInt(c0), high = 0xCD9E8D57n * BigInt(c2);
    [c0, c1, c2, c3] = [
      (Number(high >> 32n) ^ c1 ^ k0) >>> 0,
      Number(high & 0xFFFFFFFFn),
      (Number(low >> 32n) ^ c3 ^ k1) >>> 0,
      Number(low & 0xFFFFFFFFn),
    ];
    [k0, k1] = [(k0 + 0x9E3779B9) >>> 0, (k1 + 0xBB67AE85) >>> 0];
  }
  return [c0, c1, c2, c3];
}

// `size` standard normal numbers for one seed, a BigInt of 64 bits.
function normal(size, seed) {
  const bits = BigInt.asUintN(64, seed), numbers = new Float32Array(size);
  const words = [Number(bits & 0xFFFFFFFFn), Number(bits >> 32n), 0, 0];
  const [key0, key1, ...start] = philox(words, [0x3EC8F720, 0x02461E29]);
  for (let i = 0; i < size; i += 4) {
    const made = philox([i / 4, 0, ...start], [key0, key1]);
    for (let pair = 0; pair < 2; pair++) {
      const [first, second] = made.slice(2 * pair, 2 * pair + 2).map((word) => (word & 0x7FFFFF) / 0x800000);
      const radius = Math.sqrt(-2 * Math.log(Math.max(first, 1e-7))), angle = 2 * Math.PI * second;
      numbers[i + 2 * pair] = Math.sin(angle) * radius;  // beyond the end nothing is written
      numbers[i + 2 * pair + 1] = Math.cos(angle) * radius;
    }
  }
  return numbers;
}
