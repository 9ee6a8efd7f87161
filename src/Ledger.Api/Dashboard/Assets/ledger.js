// What pages can do only with a script; each works without it too.
for (const button of document.querySelectorAll('[data-copy]')) {
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
    const label = button.textContent;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = label; }, 2000);
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
