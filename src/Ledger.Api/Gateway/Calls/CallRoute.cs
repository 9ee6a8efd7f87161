using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway.Calls;

/// <summary>One way of asking for an answer: what it speaks, and what pays.</summary>
/// <param name="Name">Its name in events and usage, such as <c>chat.completions</c> or <c>claudecode</c>: never one of a tool.</param>
/// <param name="Protocol">What it speaks.</param>
/// <param name="Payment">What pays.</param>
/// <param name="Standard">The bucket of keys that have none of their own.</param>
/// <param name="Preset">The tool whose preset comes first; null for none.</param>
internal sealed record CallRoute(string Name, Protocol Protocol, CallPayment Payment, KeyRateLimit Standard, string? Preset = null)
{
    /// <summary>OpenAI's protocol on the prepaid balance.</summary>
    public static CallRoute Chat { get; } = new("chat.completions", Protocol.OpenAi, CallPayment.Balance, KeyRateLimit.Generic);

    /// <summary>The pack dialect of the same address.</summary>
    public static CallRoute Pack { get; } = new("pack", Protocol.OpenAi, CallPayment.Pack, KeyRateLimit.Generic);

    /// <summary>The workspace of whoever is signed in, on the prepaid balance.</summary>
    public static CallRoute Workspace { get; } =
        new("workspace", Protocol.OpenAi, CallPayment.Balance, KeyRateLimit.Generic) { IsInPerson = true };

    /// <summary>Anthropic's protocol on the prepaid balance.</summary>
    public static CallRoute Messages { get; } = new("messages", Protocol.Anthropic, CallPayment.Balance, KeyRateLimit.Generic);

    /// <summary>The routes tuned for a tool, by the first segment of their addresses.</summary>
    public static IReadOnlyList<CallRoute> ToolTuned { get; } =
    [
        .. ((string[])["claudecode", "cline", "cursor", "roocode"]).Select(tool => new CallRoute(
            tool,
            Protocol.Anthropic,
            CallPayment.QuotaOrBalance,
            KeyRateLimit.ToolTuned,
            tool
        )),
    ];

    /// <summary>Whether somebody sits before it, who says when they want no more: then nothing of an answer is read on, and none is kept.</summary>
    public bool IsInPerson { get; private init; }

    /// <summary>The same way where packs pay: what OpenAI's protocol becomes when a provider is named.</summary>
    public CallRoute Packed => IsInPerson ? this with { Payment = CallPayment.Pack } : Pack;
}
