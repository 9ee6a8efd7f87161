from missing import get_credit_balance, purchase_credits, send_alert

# Set up usage alerts
def setup_credit_alerts(api_key, warning_threshold=500, critical_threshold=100):
    """Monitor credits and alert when running low"""

    balance = get_credit_balance(api_key)
    available = balance['total_available_credits']

    if available <= critical_threshold:
        send_alert(f"CRITICAL: Only {available} credits remaining!")
        # Auto-purchase more credits
        purchase_credits(api_key, amount_usd=50)
    elif available <= warning_threshold:
        send_alert(f"WARNING: {available} credits remaining")

    return available

# Optimize usage patterns
def optimize_credit_usage():
    """Tips for efficient credit usage"""
    tips = [
        "Batch similar requests together",
        "Use appropriate quality settings for your use case",
        "Cache results when possible to avoid re-processing",
        "Choose efficient models (faster-whisper vs whisperx)",
        "Monitor usage patterns to identify optimization opportunities"
    ]
    return tips
