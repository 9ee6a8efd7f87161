import ast

from checks import equal, report, run, wire

names, printed = run("04-estimate-service-cost.py")
estimates = [ast.literal_eval(line) for line in printed]

costs = wire("/multipliers")
equal(
    [(estimate["service"], estimate["credits_needed"], estimate["parameters"]) for estimate in estimates],
    [
        ("voice_cloning_generation", 2 * costs["voice_cloning_generation"], {"duration": 120}),
        ("transcription", 30 * costs["transcription"], {"duration": 1800}),
        ("music_generation", 2 * costs["music_generation"], {"duration": 60}),
        ("text_to_speech", 5 * costs["text_to_speech"], {"characters": 5000}),
    ],
)

# The names that only its table reads.
ask = names["estimate_service_cost"]
equal(ask("voice_cloning_training")["credits_needed"], costs["voice_cloning_training"])
equal(ask("transcription_with_speakers")["credits_needed"], costs["transcription_with_diarization"])
equal(ask("translation")["credits_needed"], costs["translation"])
equal(ask("unheard_of"), None)

report(estimates=estimates)
