import os

import requests

class AudioPodCreditManager:
    def __init__(self, api_key):
        self.api_key = api_key
        self.base_url = os.environ["AUDIOPOD_BASE_URL"] + "/api/v1"
        self.headers = {"Authorization": f"Bearer {api_key}"}

    def get_balance(self):
        """Get current credit balance"""
        response = requests.get(
            f"{self.base_url}/credits",
            headers=self.headers
        )
        return response.json()

    def check_sufficient_credits(self, service_type, duration_seconds=0):
        """Check if user has enough credits for a service"""
        # Get current balance
        balance = self.get_balance()
        available = balance['total_available_credits']

        # Get service costs
        multipliers_response = requests.get(
            f"{self.base_url}/credits/multipliers",
            headers=self.headers
        )
        costs = multipliers_response.json()

        # Calculate required credits
        if service_type == "voice_cloning_generation":
            required = (duration_seconds / 60) * costs['voice_cloning_generation']
        elif service_type == "transcription":
            required = (duration_seconds / 60) * costs['transcription']
        elif service_type == "music_generation":
            required = (duration_seconds / 30) * costs['music_generation']
        else:
            required = costs.get(service_type, 0)

        return {
            'sufficient': available >= required,
            'available': available,
            'required': required,
            'shortfall': max(0, required - available)
        }

    def get_usage_summary(self, days=30):
        """Get usage summary for the last N days"""
        usage_response = requests.get(
            f"{self.base_url}/credits/usage",
            headers=self.headers
        )

        usage_logs = usage_response.json()

        # Filter by date range
        from datetime import datetime, timedelta
        cutoff_date = datetime.now().astimezone() - timedelta(days=days)

        recent_usage = []
        for log in usage_logs:
            log_date = datetime.fromisoformat(log['created_at'].replace('Z', '+00:00'))
            if log_date >= cutoff_date:
                recent_usage.append(log)

        # Summarize
        total_credits = sum(log['credits_used'] for log in recent_usage)
        service_breakdown = {}

        for log in recent_usage:
            service = log['service_type']
            service_breakdown[service] = service_breakdown.get(service, 0) + log['credits_used']

        return {
            'period_days': days,
            'total_credits_used': total_credits,
            'service_breakdown': service_breakdown,
            'usage_count': len(recent_usage)
        }

# Usage example
credit_manager = AudioPodCreditManager(os.environ["AUDIOPOD_API_KEY"])

# Check if user can afford a 2-minute Text to Speech
check = credit_manager.check_sufficient_credits("voice_cloning_generation", 120)
if check['sufficient']:
    print("User has enough credits")
else:
    print(f"Need {check['shortfall']} more credits")

# Get 30-day usage summary
summary = credit_manager.get_usage_summary(30)
print(f"Used {summary['total_credits_used']} credits in last 30 days")
