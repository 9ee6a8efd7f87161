from audiopod import Client
from datetime import datetime, timedelta
from collections import defaultdict

def analyze_credit_usage():
    """Comprehensive credit usage analysis with SDK"""

    client = Client()

    # Get current balance
    credits = client.credits.get_credit_balance()
    print(f"Current Balance: {credits.total_available_credits:,} credits")
    print(f"Monthly Reset: {credits.next_reset_date}")

    # Get detailed usage history
    usage_logs = client.credits.get_usage_history(limit=1000)

    # Analyze by service type
    service_analysis = defaultdict(lambda: {
        'total_credits': 0,
        'total_duration': 0,
        'usage_count': 0,
        'average_cost': 0
    })

    # Daily usage tracking
    daily_usage = defaultdict(int)

    for log in usage_logs:
        service = log['service_type']
        credits = log['credits_used']
        duration = log.get('audio_duration', 0)
        date = datetime.fromisoformat(log['created_at'].replace('Z', '+00:00')).date()

        # Service analysis
        service_analysis[service]['total_credits'] += credits
        service_analysis[service]['total_duration'] += duration
        service_analysis[service]['usage_count'] += 1

        # Daily usage
        daily_usage[date] += credits

    # Calculate averages
    for service in service_analysis:
        data = service_analysis[service]
        if data['usage_count'] > 0:
            data['average_cost'] = data['total_credits'] / data['usage_count']

    # Generate report
    print("\n📊 Credit Usage Analysis")
    print("=" * 50)

    print("\n🎯 Usage by Service:")
    for service, data in sorted(service_analysis.items(), key=lambda x: x[1]['total_credits'], reverse=True):
        print(f"  {service}:")
        print(f"    Total Credits: {data['total_credits']:,}")
        print(f"    Average per Use: {data['average_cost']:.1f}")
        print(f"    Usage Count: {data['usage_count']}")
        if data['total_duration'] > 0:
            print(f"    Total Duration: {data['total_duration']:.1f}s")
        print()

    # Show cost optimization tips
    print("💡 Optimization Tips:")
    most_used = max(service_analysis.items(), key=lambda x: x[1]['total_credits'])
    print(f"  • {most_used[0]} is your highest cost service ({most_used[1]['total_credits']} credits)")

    # Check for batch opportunities
    for service, data in service_analysis.items():
        if data['usage_count'] > 10 and data['average_cost'] < 100:
            print(f"  • Consider batching {service} requests to reduce API overhead")

    return service_analysis

# Run analysis
analysis = analyze_credit_usage()
