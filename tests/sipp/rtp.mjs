// A party's ear and mouth: RTP (RFC 3550) on a UDP port of its own, signalled by sipp.
//
// It answers to wherever sound comes from, and keeps all that it hears.

import { createSocket } from "node:dgram";

import { ours } from "./processes.mjs";
import { RATE, WINDOW, fromAlaw, share, toAlaw, tone } from "./sound.mjs";

const PCMA = 8;
const TELEPHONE_EVENT = 101;
const FRAME = 160;
/** RFC 4733 section 2.5.1.2: a key of 100 ms, its end said three times. */
const KEY_FRAMES = 5;

const parties = new Set();
let beat;

/** Speaks for all parties each 20 ms, by the clock: a late beat is made up for. */
function begin() {
  const began = Date.now();
  let frames = 0;
  beat ??= setInterval(() => {
    while (frames * 20 <= Date.now() - began) {
      frames += 1;
      for (const party of parties) party.speak();
    }
  }, 20);
}

function bound(port) {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.on("error", () => resolve(undefined));
    socket.bind(port, ours, () => resolve(socket));
  });
}

/** Sockets on an even port and on the next one, which is RTCP's: RFC 3550 section 11. */
async function pair() {
  for (;;) {
    const socket = await bound(0);
    const { port } = socket.address();
    const control = port % 2 === 0 ? await bound(port + 1) : undefined;
    if (control !== undefined) {
      socket.setRecvBufferSize(1 << 20);
      return [socket, control];
    }
    socket.close();
  }
}

export class Party {
  /** On a free port of the loopback interface. It says this tone from the first packet it hears. */
  static async open(hertz) {
    const party = new Party();
    party.words = toAlaw(tone(hertz));
    party.hertz = hertz;
    party.forget();
    [party.socket, party.control] = await pair();
    party.socket.on("message", (bytes, from) => party.listen(bytes, from));
    party.port = party.socket.address().port;
    parties.add(party);
    begin();
    return party;
  }

  close() {
    parties.delete(this);
    this.socket.close();
    this.control.close();
    if (parties.size === 0) {
      clearInterval(beat);
      beat = undefined;
    }
  }

  /** Ready for another call: nothing was heard, and nobody is there to speak to. */
  forget() {
    this.peer = undefined;
    this.cue = undefined;
    this.lastOrder = undefined;
    this.heard = [];
    this.digits = "";
    this.strange = [];
    this.spoken = 0;
    this.sequence = 0;
    this.timestamp = Math.floor(Math.random() * 2 ** 31);
    this.ssrc = Math.floor(Math.random() * 2 ** 32);
    this.keys = [];
  }

  /** Presses the key as soon as this tone is heard, once. */
  pressesAt(hertz, key) {
    this.cue = { hertz, key };
  }

  /** All that was heard, in the order of its sending. */
  samples() {
    const packets = this.heard.toSorted((one, other) => one.order - other.order);
    return fromAlaw(Buffer.concat(packets.map((packet) => packet.payload)));
  }

  /** The longest time between two packets, in milliseconds. */
  longestSilence() {
    const times = this.heard.map((packet) => packet.at);
    return times.slice(1).reduce((most, at, index) => Math.max(most, at - times[index]), 0);
  }

  listen(bytes, from) {
    this.peer ??= { port: from.port, address: from.address };
    if (bytes.length < 12 || bytes[0] >> 6 !== 2) {
      this.strange.push("no RTP");
      return;
    }
    const payloadType = bytes[1] & 0x7f;
    if (payloadType === TELEPHONE_EVENT) {
      const timestamp = bytes.readUInt32BE(4);
      if (timestamp !== this.lastEvent) this.digits += "0123456789*#ABCD"[bytes[12]];
      this.lastEvent = timestamp;
      return;
    }
    if (payloadType !== PCMA || from.port !== this.peer.port) {
      this.strange.push(`payload type ${payloadType} from port ${from.port}`);
      return;
    }
    const sequence = bytes.readUInt16BE(2);
    // RFC 3550 appendix A.1: 16 bits, counted on where they begin again.
    const last = this.lastOrder ?? sequence;
    const order = last + (((sequence - last + 0x8000) & 0xffff) - 0x8000);
    this.lastOrder = Math.max(last, order);
    this.heard.push({ order, at: Date.now(), payload: Buffer.from(bytes.subarray(12)) });
    this.watch();
  }

  watch() {
    if (this.cue === undefined || this.heard.length % (WINDOW / FRAME) !== 0) return;
    const recent = this.heard.slice(-WINDOW / FRAME).map((packet) => packet.payload);
    if (share(fromAlaw(Buffer.concat(recent)), this.cue.hertz) < 0.9) return;
    const event = "0123456789*#ABCD".indexOf(this.cue.key);
    for (let frame = 1; frame <= KEY_FRAMES + 2; frame += 1) {
      const payload = Buffer.from([event, frame >= KEY_FRAMES ? 0x8a : 0x0a, 0, 0]);
      payload.writeUInt16BE(Math.min(frame, KEY_FRAMES) * FRAME, 2);
      this.keys.push({ payload, first: frame === 1 });
    }
    this.cue = undefined;
  }

  speak() {
    if (this.peer === undefined) return;
    const key = this.keys.shift();
    if (key?.first) this.keyTimestamp = this.timestamp;
    const position = (this.spoken * FRAME) % RATE;
    const payload = key ? key.payload : this.words.subarray(position, position + FRAME);
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = key ? TELEPHONE_EVENT | (key.first ? 0x80 : 0) : PCMA;
    header.writeUInt16BE(this.sequence, 2);
    header.writeUInt32BE(key ? this.keyTimestamp : this.timestamp, 4);
    header.writeUInt32BE(this.ssrc, 8);
    this.socket.send(Buffer.concat([header, payload]), this.peer.port, this.peer.address);
    this.spoken += 1;
    this.sequence = (this.sequence + 1) & 0xffff;
    this.timestamp = (this.timestamp + FRAME) % 2 ** 32;
  }
}
