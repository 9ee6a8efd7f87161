// The workspace: sends what is typed, shows the answer as it comes and what it cost. The conversation is in this page and nowhere else. Whatever comes from
// outside becomes text, never markup.
const get = (id) => document.getElementById(`chat-${id}`);
const [form, log, text, send, stop, fresh, model, most] = ['form', 'log', 'text', 'send', 'stop', 'new', 'model', 'most'].map(get);

const brokeOff = 'The connection broke off.';

let said = [];
let answers = 0;
let asking = null;

if (form) {
  send.disabled = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!asking && text.value.trim()) ask(text.value);
  });
  text.addEventListener('keydown', (event) => {
    // Enter that ends a composition, as of Japanese, sends nothing.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  stop.addEventListener('click', () => {
    stop.disabled = true;
    tell('Stopping…');
    asking?.abort();
  });
  fresh.addEventListener('click', () => {
    // Whatever was being answered ends with its chat: nobody waits for what it cost.
    asking?.abort();
    asking = null;
    log.removeAttribute('aria-busy');
    [send.disabled, stop.disabled] = [false, true];
    [said, answers] = [[], 0];
    for (const turn of log.querySelectorAll('.turn')) turn.remove();
    get('empty').hidden = false;
    get('count').textContent = 'No answers yet';
    tell('');
    fresh.disabled = true;
    text.focus();
  });
  model.addEventListener('change', show);
  show();
}

// What the chosen model costs, and how long its answers may be.
function show() {
  const { price, most: ceiling } = model.selectedOptions[0].dataset;
  get('price').textContent = price;
  most.max = ceiling;
  if (Number(most.value) > Number(ceiling)) most.value = ceiling;
}

async function ask(question) {
  const chat = said;
  const control = asking = new AbortController();
  const name = crypto.getRandomValues(new Uint32Array(4)).reduce((all, part) => all + part.toString(36), 'w');
  [send.disabled, stop.disabled, fresh.disabled] = [true, false, false];
  get('empty').hidden = true;
  add('You', question, 'mine');
  const turn = add(model.selectedOptions[0].value.replace(/^\w+:/, ''), '', '');
  log.setAttribute('aria-busy', 'true');
  text.value = '';
  tell('Setting funds aside…');
  chat.push({ role: 'user', content: question });

  const allowed = Number(most.value);
  let [answer, failure, begun, reason, isWhole] = ['', null, false, null, false];
  try {
    const response = await fetch('/workspace/calls', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': document.body.dataset.csrf, 'Idempotency-Key': name },
      body: JSON.stringify(request(chat)),
      redirect: 'manual',
      signal: control.signal,
    });
    if (!response.ok) {
      failure = await refusal(response);
    } else {
      begun = true;
      stand(name, false).then((state) => {
        if (asking === control && !control.signal.aborted && state?.state === 'held') tell(`Held: ${state.set_aside} while it answers`);
      });
      for await (const data of events(response.body)) {
        if (data === '[DONE]') {
          isWhole = true;
          break;
        }
        const chunk = JSON.parse(data);
        if (chunk.error) {
          failure = [chunk.error.message];
          break;
        }
        const choice = chunk.choices?.[0];
        reason = choice?.finish_reason ?? reason;
        const piece = choice?.delta?.content;
        if (!piece) continue;
        answer += piece;
        append(turn, piece);
      }

      // A proxy that gives up ends an answer as quietly as one that is all there.
      if (!isWhole && !failure && !control.signal.aborted) failure = [brokeOff];
    }
  } catch (fault) {
    if (!control.signal.aborted) failure = [brokeOff];
  }

  // What was charged is asked for also where the answer broke off, or was stopped before it began.
  const state = begun || control.signal.aborted || failure?.[0] === brokeOff ? await end(name) : null;
  if (chat === said) close(turn, chat, question, answer, failure, state, control.signal.aborted, reason === 'length' ? allowed : null);
  else if (!asking && state?.state === 'charged') tell(`The answer that you left cost ${state.cost}. ${state.left} left.`);
  if (asking === control) asking = null;
  if (!asking) [send.disabled, stop.disabled] = [false, true];
}

function request(chat) {
  const [, pays, asked] = /^(\w+):(.*)$/s.exec(model.value);
  const system = get('system').value.trim();
  const body = {
    model: asked,
    stream: true,
    max_tokens: Number(most.value),
    messages: system ? [{ role: 'system', content: system }, ...chat] : chat,
  };
  if (pays === 'pack') [body.provider, body.model] = [asked.slice(0, asked.indexOf('/')), asked.slice(asked.indexOf('/') + 1)];
  return body;
}

function close(turn, chat, question, answer, failure, state, isStopped, cutAt) {
  log.removeAttribute('aria-busy');
  if (answer) {
    chat.push({ role: 'assistant', content: answer });
  } else {
    // Nothing came of it: it can be asked again as it was.
    chat.pop();
    if (!text.value) text.value = question;
  }

  const place = turn.querySelector('.turn-text');
  if (failure) {
    turn.classList.add('failed');
    place.append(answer ? '\n\n' : '', failure[0]);
    if (failure[1]) place.append(' ', link(...failure[1]));
  } else if (!answer) {
    place.textContent = isStopped ? 'Stopped before the first word.' : 'The model said nothing.';
  }

  const parts = [];
  if (isStopped && answer) parts.push('Stopped');
  if (cutAt !== null) parts.push(`Cut at ${cutAt} tokens; allow more to go on`);
  if (state?.state === 'charged') {
    answers += 1;
    get('count').textContent = answers === 1 ? '1 answer' : `${answers} answers`;
    parts.push(`Cost ${state.cost}`, `${state.input_tokens} tokens in, ${state.output_tokens} out${state.is_estimated ? ' (counted here)' : ''}`, state.model);
    tell(`Cost ${state.cost}. ${state.left} left.`);
  } else {
    const words = state?.state === 'held' ? 'Not charged yet: the overview tells when it is.' : state ? 'Nothing was charged.' : '';
    if (words) parts.push(words);
    tell(words);
  }
  turn.querySelector('.turn-note').textContent = parts.join(' · ');
  follow();
}

async function refusal(response) {
  if (response.type === 'opaqueredirect') return ['You are signed out.', ['Sign in again', '/sign-in?next=/workspace']];
  const error = await response.json().then((answer) => answer.error, () => null);
  if (!error?.message) {
    return [response.status === 403 ? 'You may not do this any more. Reload the page to see why.' : `The server answered ${response.status}. Try again in a moment.`];
  }
  const unit = (figure) => (error.unit === 'usd' ? `$${figure}` : `${figure} credits`);
  if (error.code === 'insufficient_credits') {
    const fewer = error.affordable_max_tokens ? ` There is enough for ${error.affordable_max_tokens} tokens.` : '';
    return [`Not enough dollars: an answer as long as you allow needs ${unit(error.needed)}, and ${unit(error.available)} is there.${fewer}`, ['Add dollars', '/credits']];
  }
  if (error.code === 'no_active_pack') return ['No pack of yours has enough left for this.', ['Buy a pack', '/packs']];
  return [error.message];
}

// How a call stands; null where the server cannot be asked.
async function stand(name, wait) {
  try {
    const response = await fetch(`/workspace/calls/${name}${wait ? '?wait=1' : ''}`, { redirect: 'manual' });
    if (!response.ok) return null;
    const state = await response.json();
    for (const figure of ['available', 'held', 'packs']) get(figure).textContent = state[figure];
    return state;
  } catch {
    return null;
  }
}

// How it ended. What was stopped at once may not have reached the ledger yet; and a charge waits for a database that is away.
async function end(name) {
  let state = null;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    state = await stand(name, true);
    if (state && state.state !== 'none' && state.state !== 'held') return state;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return state;
}

// The data of server-sent events, one by one.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = (rest + value).split('\n\n');
    rest = frames.pop();
    for (const frame of frames) {
      const data = frame.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).replace(/^ /, '')).join('\n');
      if (data) yield data;
    }
  }
}

function add(who, words, kind) {
  const turn = document.createElement('div');
  turn.className = `turn ${kind}`;
  for (const [part, content] of [['who', who], ['text', words], ['note', '']]) {
    const place = document.createElement('div');
    place.className = `turn-${part}`;
    place.textContent = content;
    turn.append(place);
  }
  log.append(turn);
  follow();
  return turn;
}

function append(turn, piece) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  turn.querySelector('.turn-text').append(piece);
  if (isAtEnd) follow();
}

function follow() {
  log.scrollTop = log.scrollHeight;
}

function link(words, href) {
  const anchor = document.createElement('a');
  anchor.href = href;
  anchor.textContent = words;
  return anchor;
}

function tell(words) {
  get('status').textContent = words;
}
