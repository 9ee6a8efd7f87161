namespace Ledger.Api.Gateway.Protocols;

/// <summary>The protocol of a route, or of a provider.</summary>
public enum Protocol
{
    /// <summary>OpenAI's chat completions.</summary>
    OpenAi,

    /// <summary>Anthropic's messages.</summary>
    Anthropic,
}

/// <summary>Whether a request asks for its input to be written to a cache, and for how long at most.</summary>
public enum CacheWrites
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>For five minutes.</summary>
    FiveMinutes,

    /// <summary>For an hour.</summary>
    OneHour,
}

/// <summary>Bad input: what is wrong, and where.</summary>
/// <param name="Message">One sentence for people.</param>
/// <param name="Param">The member at fault, such as <c>messages[0].role</c>; null where it is the whole body.</param>
public sealed record CallFault(string Message, string? Param = null);
