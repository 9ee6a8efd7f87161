from audiopod import Client

# Initialize client
client = Client()

# Get credit balance
credits = client.credits.get_credit_balance()

print(f"Total Available Credits: {credits.total_available_credits}")
print(f"Subscription Credits: {credits.balance}")
print(f"Pay-as-You-Go Credits: {credits.payg_balance}")
print(f"Total Credits Used: {credits.total_credits_used}")

if credits.next_reset_date:
    print(f"Next Reset Date: {credits.next_reset_date}")

# Check if you have enough credits for a service
if credits.total_available_credits < 1000:
    print("⚠️  Low on credits! Consider purchasing more.")

# Get usage history
usage_history = client.credits.get_usage_history()
print(f"\nRecent usage history ({len(usage_history)} entries):")

for usage in usage_history[:5]:  # Show last 5 entries
    print(f"- {usage['service_type']}: {usage['credits_used']} credits ({usage['created_at']})")
