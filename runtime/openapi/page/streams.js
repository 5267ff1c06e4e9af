// A plugin of Swagger UI that shows an event stream while it comes. Swagger UI itself reads an answer to its end before
// it shows anything, and goes on reading after its Clear button.
"use strict";

// EventReader reads server-sent events (WHATWG HTML, section 9.2.6) and collects the text that they carry.
class EventReader {
  // texts has what was said, by who said it: a step's name, or "" where the stream has one voice.
  texts = new Map();
  #rest = "";
  #event = "";
  #data = [];

  feed(part) {
    // A CR at the end may be half of a CRLF.
    const lines = (this.#rest + part).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      this.#line(line);
    }
  }

  #line(line) {
    if (line === "") {
      if (this.#data.length > 0) {
        this.#dispatch(this.#event, this.#data.join("\n"));
      }
      this.#event = "";
      this.#data = [];
      return;
    }
    const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (name === "event") {
      this.#event = value ?? "";
    } else if (name === "data") {
      this.#data.push(value ?? "");
    }
  }

  #dispatch(event, data) {
    const value = parsed(data);
    if (Array.isArray(value?.choices)) {
      this.#say("", value.choices[0]?.delta?.content);
    } else if (event === "") {
      this.#say("", value?.error || data === "[DONE]" ? "" : data);
    } else {
      this.#say(event === "delta" ? "" : event, value?.text);
    }
  }

  #say(who, text) {
    if (typeof text === "string" && text !== "") {
      this.texts.set(who, (this.texts.get(who) ?? "") + text);
    }
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

const isEventStream = (type) => /^text\/event-stream\b/i.test(type ?? "");

// follow is a fetch that hands over what has come so far, at most once for each frame that the browser draws.
async function follow(url, options, signal, show) {
  const response = await fetch(url, { ...options, signal });
  if (!isEventStream(response.headers.get("content-type")) || !response.body) {
    return response;
  }
  const head = {
    ok: response.ok, url, status: response.status, statusText: response.statusText,
    headers: Object.fromEntries(response.headers),
  };
  let text = "";
  let frame = 0;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        show({ ...head, text });
      });
    }
  } catch (error) {
    // Swagger UI shows the members of `response` beside the error: what came stays.
    throw Object.assign(error, { response: { ...head, text } });
  } finally {
    cancelAnimationFrame(frame);
  }
  return new Response(text, head);
}

// Streamed shows the text as a person reads it, and the events as they came.
function streamed(React) {
  const h = React.createElement;
  return function Streamed({ content }) {
    const seen = React.useRef(null);
    if (!seen.current || !content.startsWith(seen.current.content)) {
      seen.current = { content: "", reader: new EventReader() };
    }
    seen.current.reader.feed(content.slice(seen.current.content.length));
    seen.current.content = content;
    const texts = Array.from(seen.current.reader.texts, ([who, text]) => [
      h("h5", { key: `${who} title` }, who || "Text"),
      h(Box, { key: `${who} text`, kind: "text" }, text),
    ]);
    return h("div", { className: "streamed" }, ...texts, h("h5", null, "Response body"), h(Box, { kind: "events" }, content));
  };

  // Box stays at its end while it grows, unless its reader went elsewhere.
  function Box({ kind, children }) {
    const box = React.useRef(null);
    const atEnd = React.useRef(true);
    React.useLayoutEffect(() => {
      if (atEnd.current) {
        box.current.scrollTop = box.current.scrollHeight;
      }
    }, [children]);
    const onScroll = ({ target }) => {
      atEnd.current = target.scrollTop + target.clientHeight >= target.scrollHeight - 2;
    };
    return h("div", { className: "highlight-code" },
      h("pre", { className: `microlight streamed-${kind}`, ref: box, onScroll, "aria-live": kind === "text" ? "polite" : "off" },
        children));
  }
}

// StreamedAnswers is the plugin; the page names it.
function StreamedAnswers() {
  const calls = new Map();
  const end = (path, method) => calls.get(`${method} ${path}`)?.abort();

  const executeRequest = (execute, { specActions }) => (request) => {
    const { pathName, method } = request;
    end(pathName, method);
    const call = new AbortController();
    calls.set(`${method} ${pathName}`, call);
    const show = (response) => specActions.setResponse(pathName, method, response);
    request.userFetch = (url, options) => follow(url, options, call.signal, show).catch((error) => {
      if (call.signal.aborted) {
        return new Promise(() => {}); // nobody waits for it any more; an error would be shown
      }
      throw error;
    });
    return execute(request);
  };
  const clearResponse = (clear) => (path, method) => {
    end(path, method);
    return clear(path, method);
  };

  return {
    statePlugins: { spec: { wrapActions: { executeRequest, clearResponse } } },
    wrapComponents: {
      responseBody: (Original, { React }) => {
        const Streamed = streamed(React);
        return (props) => React.createElement(
          isEventStream(props.contentType) && typeof props.content === "string" ? Streamed : Original, props);
      },
    },
  };
}
