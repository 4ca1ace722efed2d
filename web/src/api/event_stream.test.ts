import { StreamReader } from "./event_stream";

test("messages_are_read_whatever_way_the_stream_is_cut", () => {
  const text =
    ': hello\nid: evt_1\nevent: call.started\ndata: {"a":1}\n\n' +
    "id: evt_2\r\ndata: one\r\ndata: two\r\n\r\nretry: 1500\n\n";
  for (let length = 1; length <= text.length; length++) {
    const reader = new StreamReader();
    const chunks = [];
    for (let at = 0; at < text.length; at += length) {
      chunks.push(reader.read(text.slice(at, at + length)));
    }
    expect(chunks.flatMap((chunk) => chunk.messages)).toEqual([
      { id: "evt_1", event: "call.started", data: '{"a":1}' },
      { id: "evt_2", event: "message", data: "one\ntwo" },
    ]);
    expect(chunks.map((chunk) => chunk.retryMs).find((ms) => ms !== undefined)).toBe(1500);
  }
});
