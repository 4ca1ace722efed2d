/** One message of a `text/event-stream` (WHATWG HTML §9.2). */
export interface StreamMessage {
  id: string | undefined;
  event: string;
  data: string;
}

export interface StreamChunk {
  messages: StreamMessage[];
  /** The wait before the next connection that the server asks for, in milliseconds. */
  retryMs: number | undefined;
}

/** Cuts a stream's text into messages; holds what is not complete yet. */
export class StreamReader {
  #rest = "";
  #id: string | undefined;
  #event = "";
  #data: string[] = [];

  read(text: string): StreamChunk {
    const chunk: StreamChunk = { messages: [], retryMs: undefined };
    this.#rest += text;
    // A carriage return at the very end may be half of a line end.
    const complete = this.#rest.endsWith("\r") ? this.#rest.slice(0, -1) : this.#rest;
    const lines = complete.split(/\r\n|\n|\r/);
    const unfinished = lines.pop() ?? "";
    this.#rest = unfinished + this.#rest.slice(complete.length);
    for (const line of lines) this.#line(line, chunk);
    return chunk;
  }

  #line(line: string, chunk: StreamChunk): void {
    if (line === "") {
      if (this.#data.length > 0) {
        const data = this.#data.join("\n");
        chunk.messages.push({ id: this.#id, event: this.#event || "message", data });
      }
      this.#event = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id") this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) chunk.retryMs = Number(value);
  }
}
