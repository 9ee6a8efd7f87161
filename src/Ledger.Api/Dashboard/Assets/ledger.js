// What pages can do only with a script; each works without it too.
// A button that is named by a label of its own says nothing of what stands on it, and nobody hears a name that changes: what was done is said beside it.
const said = document.createElement('p');
said.className = 'visually-hidden';
said.setAttribute('role', 'status');
document.body.append(said);

for (const button of document.querySelectorAll('[data-copy]')) {
  const label = button.textContent;
  let turn = 0;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    const text = 'value' in source ? source.value : source.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard; the old way still works.
      if ('select' in source) source.select();
      else getSelection().selectAllChildren(source);
      document.execCommand('copy');
    }
    const now = turn += 1;
    button.textContent = 'Copied';
    said.textContent = 'Copied';
    setTimeout(() => {
      if (now !== turn) return;
      button.textContent = label;
      said.textContent = '';
    }, 2000);
  });
}

for (const source of document.querySelectorAll('[data-copy-source]')) {
  source.addEventListener('focus', () => source.select());
}

// A form that is on its way is not sent again by a second click.
for (const form of document.querySelectorAll('form[method=post]')) {
  form.addEventListener('submit', () => {
    setTimeout(() => {
      for (const button of form.querySelectorAll('button[type=submit]')) button.disabled = true;
    });
  });
}
addEventListener('pageshow', (event) => {
  if (event.persisted) for (const button of document.querySelectorAll('button[type=submit]')) button.disabled = false;
});
