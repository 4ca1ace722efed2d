// Tones, G.711 A-law and WAV: what is said, and what was heard. Sound is 16 bit at 8 kHz.

export const RATE = 8000;

/** ITU-T G.711 table 1a, every second bit inverted: the 16 bit value of each octet. */
const FROM_ALAW = Int16Array.from({ length: 256 }, (_, octet) => {
  const bits = octet ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const step = ((bits & 15) << 4) + 8;
  const size = exponent === 0 ? step : (step + 0x100) << (exponent - 1);
  return bits & 0x80 ? size : -size;
});

const TO_ALAW = (() => {
  const octets = new Uint8Array(65536);
  const levels = Array.from(FROM_ALAW, (value, octet) => ({ value, octet }));
  levels.sort((one, other) => one.value - other.value);
  let at = 0;
  for (let sample = -32768; sample < 32768; sample += 1) {
    const nearer = () =>
      at + 1 < levels.length &&
      Math.abs(levels[at + 1].value - sample) <= Math.abs(levels[at].value - sample);
    while (nearer()) at += 1;
    octets[sample + 32768] = levels[at].octet;
  }
  return octets;
})();

export const fromAlaw = (octets) => Int16Array.from(octets, (octet) => FROM_ALAW[octet]);
export const toAlaw = (samples) => Uint8Array.from(samples, (sample) => TO_ALAW[sample + 32768]);

/** A tone of a whole number of hertz, so that a second of it can be said again and again. */
export function tone(hertz, seconds = 1) {
  return Int16Array.from({ length: RATE * seconds }, (_, at) =>
    Math.round(8000 * Math.sin((2 * Math.PI * hertz * at) / RATE)),
  );
}

/** Which part of the sound's power this tone is, from 0 to 1: the algorithm of Goertzel. */
export function share(samples, hertz) {
  const coefficient = 2 * Math.cos((2 * Math.PI * hertz) / RATE);
  let [before, last, power] = [0, 0, 0];
  for (const sample of samples) {
    [before, last] = [last, sample + coefficient * last - before];
    power += sample * sample;
  }
  const found = before * before + last * last - coefficient * before * last;
  return power === 0 ? 0 : (2 * found) / (samples.length * power);
}

/** 200 ms: of its halves, tones that are 10 Hz apart or a multiple of it are told apart for certain. */
export const WINDOW = RATE / 5;

const isSilent = (samples) =>
  samples.reduce((power, sample) => power + sample * sample, 0) < samples.length * 200 * 200;

/**
 * How much of the sound is this tone and nothing else: milliseconds, and the milliseconds that were
 * neither it nor silence between its beginning and its end. A packet that came late is heard as a
 * click, which leaves one half of its window whole; another party leaves none.
 */
export function presence(samples, hertz) {
  let [milliseconds, foreign, since] = [0, 0, 0];
  for (let at = 0; at + WINDOW <= samples.length; at += WINDOW) {
    const window = samples.subarray(at, at + WINDOW);
    const halves = [window.subarray(0, WINDOW / 2), window.subarray(WINDOW / 2)];
    const whole = halves.filter((half) => share(half, hertz) > 0.9).length;
    if (whole > 0) {
      milliseconds += whole * 100;
      foreign += since;
      since = 0;
    } else if (milliseconds > 0 && !isSilent(window)) {
      since += 200;
    }
  }
  return { milliseconds, foreign };
}

/** A WAV file of one channel. */
export function toWav(samples) {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.length * 2, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.length * 2, 40);
  return Buffer.concat([
    header,
    Buffer.from(samples.buffer, samples.byteOffset, samples.length * 2),
  ]);
}

/** The channels of a WAV file of 16 bit PCM, and its sample rate. */
export function fromWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (name(0) !== "RIFF" || name(8) !== "WAVE") throw new Error("this is no WAV file");
  let [count, rate] = [0, 0];
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = Math.min(view.getUint32(at + 4, true), bytes.length - at - 8);
    if (name(at) === "fmt ") {
      count = view.getUint16(at + 10, true);
      rate = view.getUint32(at + 12, true);
    } else if (name(at) === "data") {
      const frames = Math.floor(length / 2 / count);
      const channels = Array.from({ length: count }, (_, channel) =>
        Int16Array.from({ length: frames }, (_, frame) =>
          view.getInt16(at + 8 + (frame * count + channel) * 2, true),
        ),
      );
      return { channels, rate };
    }
    at += 8 + length + (length % 2);
  }
  throw new Error("this WAV file has no sound");
}
