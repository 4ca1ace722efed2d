// baresip calls a number, presses 1, and is connected to a second baresip that is registered
// nowhere. Each says a tone of its own and records what it hears. The second one speaks PCMA, the
// first one a codec after the other.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { plan, serve, sound, trunk } from "./plans.mjs";
import { Platform } from "./platform.mjs";
import { folder, freePort, isTaken, start, until } from "./processes.mjs";
import { check } from "./report.mjs";
import { RATE, fromWav, presence, tone, toWav } from "./sound.mjs";

/** baresip's RTP comes from here, whatever address it has signalled. */
const HERE = "127.0.0.1";
const MENU = 380;
/** Bytes before the sound of a WAV file. */
const HEADER = 44;
const A = { name: "a", number: "+447700600001", hertz: 700 };
const B = { name: "b", number: "+447700600002", hertz: 1100, codec: "pcma" };
/** Of the caller: what baresip calls it, what the record calls it. */
const CODECS = [
  ["pcma", "PCMA"],
  ["g722/16000/1", "G722"],
  ["opus/48000/2", "opus"],
];

/** A telephone of somebody else. */
class Baresip {
  static async start({ name, number, hertz, codec }) {
    const phone = new Baresip();
    phone.folder = join(folder, `baresip-${name}`);
    // It takes the port after SIP's for TLS, asked or not.
    phone.sip = await freePort(HERE, 20);
    phone.control = phone.sip + 2;
    mkdirSync(phone.folder);
    const words = join(phone.folder, "words.wav");
    writeFileSync(words, toWav(tone(hertz, 60)));
    const config = {
      poll_method: "epoll",
      sip_listen: `${HERE}:${phone.sip}`,
      net_interface: HERE,
      audio_source: `aufile,${words}`,
      audio_player: "aubridge,nobody",
      audio_alert: "aubridge,nobody",
      ausrc_srate: 8000,
      auplay_srate: 8000,
      ausrc_channels: 1,
      auplay_channels: 1,
      rtp_ports: `${phone.sip + 4}-${phone.sip + 19}`,
      snd_path: phone.folder,
      ctrl_tcp_listen: `${HERE}:${phone.control}`,
    };
    const lines = Object.entries(config).map(([key, value]) => `${key} ${value}`);
    const modules = [
      "module_path /usr/lib/baresip/modules",
      ...["g711", "g722", "opus", "aufile", "aubridge", "sndfile"].map(
        (name) => `module ${name}.so`,
      ),
      "module_tmp account.so",
      ...["menu", "ctrl_tcp"].map((name) => `module_app ${name}.so`),
    ];
    writeFileSync(join(phone.folder, "config"), [...lines, ...modules, ""].join("\n"));
    const account = `<sip:${number}@${HERE}:${phone.sip}>;regint=0;answermode=auto`;
    writeFileSync(join(phone.folder, "accounts"), `${account};audio_codecs=${codec}\n`);
    writeFileSync(join(phone.folder, "contacts"), "");
    phone.process = start("baresip", ["-4", "-f", phone.folder], {
      log: join(folder, `baresip-${name}.log`),
    });
    await until(async () => (await phone.listens()) || !phone.process.lives());
    if (!phone.process.lives()) throw new Error(`baresip: ${phone.process.output()}`);
    return phone;
  }

  /** Whether it takes calls and, what it begins with later, commands. */
  async listens() {
    if (!isTaken(this.sip, HERE)) return false;
    return new Promise((resolve) => {
      const socket = connect(this.control, HERE, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
  }

  /** Gives a command, as JSON in a netstring; gives the answer. */
  async command(command, params) {
    const text = JSON.stringify({ command, params, token: "1" });
    return new Promise((resolve, reject) => {
      const socket = connect(this.control, HERE, () => socket.write(`${text.length}:${text},`));
      let answer = "";
      socket.on("data", (bytes) => {
        answer += bytes.toString();
        if (!answer.includes('"response":true')) return;
        socket.destroy();
        resolve(answer);
      });
      socket.on("error", reject);
    });
  }

  /** The file of what it hears in its last call: their names are times. */
  ear() {
    const files = readdirSync(this.folder).filter((file) => file.endsWith("-dec.wav"));
    const name = files.sort().at(-1);
    return name && join(this.folder, name);
  }

  /** How much it has heard, in seconds. */
  heardSeconds() {
    const ear = this.ear();
    if (!ear || statSync(ear).size < HEADER) return 0;
    const { channels, rate } = fromWav(readFileSync(ear));
    return (statSync(ear).size - HEADER) / (2 * channels.length * rate);
  }

  heard(hertz) {
    const { channels, rate } = fromWav(readFileSync(this.ear()));
    // Tones far below 4 kHz need no filter.
    const narrow = channels[0].filter((_, at) => at % (rate / RATE) === 0);
    return presence(narrow, hertz);
  }
}

export async function baresip() {
  const platform = await Platform.start("baresip", HERE);
  const number = platform.demo.service_numbers[0];
  const b = await Baresip.start(B);
  await trunk(platform, B.number, b.sip, { host: `${HERE}:${b.sip}` });
  const nodes = {
    menu: ["ivr_menu", { prompt: [await sound(platform, MENU, 3)] }, { 1: "office" }],
    office: ["deliver_call", { destination: B.number, recording: "separate" }],
  };
  await serve(platform, number, plan(nodes));
  for (const [codec, name] of CODECS) await call(platform, number, b, codec, name);
  b.process.signal("SIGTERM");
  await b.process.ended;
  const metrics = await platform.metrics();
  const left = metrics.strowger_calls_live + metrics.strowger_rtp_port_pairs_open;
  check(left === 0, "no call and no port is left", `${left}`);
  check((await platform.stop()) === 0, "the program ends when it is asked to");
}

async function call(platform, number, b, codec, name) {
  const a = await Baresip.start({ ...A, name: `a-${name}`, codec });
  const live = async () => (await platform.get("calls?state=live")).items[0];
  const failed = () => `${a.process.output()}\n${b.process.output()}`;
  const known = (await platform.get("records")).items.length;
  const lastEar = b.ear();
  const told = (what) => `${name}: ${what}`;

  await a.command("dial", `sip:${number}@${platform.sip}`);
  const prompted = await until(async () => (await live())?.steps.at(-1)?.kind === "ivr_menu");
  check(prompted, told("baresip calls a number and comes to its menu"), failed());
  check(await until(() => a.heardSeconds() > 1), told("it hears something"), failed());
  await a.command("sndcode", "1");
  const bridged = await until(async () => (await live())?.legs[1]?.answered_at);
  check(bridged, told("it presses 1, and a second baresip answers"), failed());
  await until(() => b.ear() !== lastEar && b.heardSeconds() > 4);
  await a.command("hangup");
  const ended = await until(async () => {
    const { items } = await platform.get("records");
    return items.length > known && items[0];
  });

  const summary = ["outcome", "cause", "calling", "called"].map((key) => ended?.[key]).join(" ");
  const expected = `answered normal_clearing ${A.number} ${number}`;
  check(summary === expected, told("the call is on record"), summary);
  const codecs = ended?.legs.map((leg) => leg.codec).join(" ");
  check(codecs === `${name} PCMA`, told("with the codecs of both"), codecs);
  const hears = (what, { milliseconds, foreign }, least) =>
    check(
      milliseconds >= least && foreign <= 400,
      told(what),
      `${milliseconds} ms, ${foreign} ms foreign`,
    );
  hears("the first one recorded the menu", a.heard(MENU), 600);
  hears("the first one recorded the second one's tone", a.heard(B.hertz), 3000);
  hears("the second one recorded the first one's tone", b.heard(A.hertz), 3000);
  const answer = await until(async () => {
    const [id] = (await platform.get("records")).items[0].recordings;
    const audio = id && (await platform.request("GET", `recordings/${id}/audio`));
    return audio?.ok && audio;
  });
  check(answer, told("the recording can be read"), failed());
  const { channels } = fromWav(new Uint8Array(await answer.arrayBuffer()));
  hears("the platform recorded the first one left", presence(channels[0], A.hertz), 3000);
  hears("the platform recorded the second one right", presence(channels[1], B.hertz), 3000);
  a.process.signal("SIGTERM");
  await a.process.ended;
}
