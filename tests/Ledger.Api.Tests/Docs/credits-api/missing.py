"""What the document's snippets call and the document does not define, each as short as its call allows."""

import os

import requests

api_key = os.environ["AUDIOPOD_API_KEY"]

#: What was done, for the checks.
alerts = []
purchases = []
batches = []


def _url(path):
    return os.environ["AUDIOPOD_BASE_URL"] + "/api/v1/credits" + path


def get_credit_balance(api_key):
    return requests.get(_url(""), headers={"Authorization": f"Bearer {api_key}"}).json()


def purchase_credits(api_key, amount_usd):
    response = requests.post(
        _url("/payg/create-checkout-session"),
        headers={"Authorization": f"Bearer {api_key}"},
        json={"amount_usd": amount_usd},
    )
    purchases.append(response.json())


def send_alert(message):
    alerts.append(message)


def process_batch(batch, operation_type):
    batches.append(list(batch))
