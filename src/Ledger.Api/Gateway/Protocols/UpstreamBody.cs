using System.Buffers.Text;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>What is changed of a body before it goes to a provider.</summary>
/// <param name="Model">The provider's own name of the model.</param>
/// <param name="MaxTokens">The most tokens of the answer; null where the caller's own word stands. Anthropic's protocol always needs one.</param>
/// <param name="Preset">A system prompt to put before the caller's own; null for none.</param>
internal sealed record UpstreamRewrite(string Model, long? MaxTokens, string? Preset);

/// <summary>The body that a provider gets.</summary>
/// <remarks>
/// Within one protocol every member travels byte for byte, known or not; only those of <see cref="UpstreamRewrite"/>, the pack dialect's
/// <c>provider</c> and, in OpenAI's streams, <c>stream_options.include_usage</c> are touched. Between protocols the body is translated:
/// <see cref="ToOpenAi"/>, <see cref="ToAnthropic"/>.
/// </remarks>
internal static class UpstreamBody
{
    /// <summary>Writes the body.</summary>
    /// <param name="request">What the caller asks.</param>
    /// <param name="upstream">The provider's protocol.</param>
    /// <param name="how">What is changed.</param>
    /// <param name="fault">What the provider's protocol cannot express, where null is answered.</param>
    /// <exception cref="ArgumentException">Nobody says how long an answer in Anthropic's protocol may be.</exception>
    public static byte[]? Write(CallRequest request, Protocol upstream, UpstreamRewrite how, out CallFault? fault)
    {
        fault = null;
        if (request.Protocol == upstream)
            return Rewrite(request, how);
        return upstream == Protocol.OpenAi ? ToOpenAi.Write(request, how, out fault) : ToAnthropic.Write(request, how, out fault);
    }

    /// <summary>Whether a model takes <c>max_completion_tokens</c> only: OpenAI's o-series and those after it.</summary>
    public static bool IsReasoner(string model)
    {
        var name = model.AsSpan(model.LastIndexOf('/') + 1);
        return name.StartsWith("gpt-5", StringComparison.Ordinal) || name is ['o', >= '1' and <= '9', ..];
    }

    private static byte[] Rewrite(CallRequest request, UpstreamRewrite how)
    {
        var body = request.Body.Span;
        var places = request.Places;
        var edits = new Edits();
        edits.Replace(places.Model, JsonSlices.Quote(how.Model));
        if (places.Provider.Exists)
            edits.Replace(places.Provider, []);
        if (how.MaxTokens is { } tokens)
            EditTokens(ref edits, places, body, how.Model, tokens);
        if (request is { Protocol: Protocol.OpenAi, IsStream: true, WantsUsage: false })
            EditStreamOptions(ref edits, places, body);
        if (how.Preset is { } preset)
            EditPreset(ref edits, request, body, preset);
        return edits.Apply(body);
    }

    private static void EditTokens(ref Edits edits, in BodyPlaces places, ReadOnlySpan<byte> body, string model, long tokens)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(tokens, digits, out var length);
        var text = digits[..length].ToArray();

        // Both, where both are there: providers differ in which of them they read. A null beside a number says nothing, and stays: some refuse two numbers.
        var (says, saysCompletion) = (IsNumber(places.MaxTokens, body), IsNumber(places.MaxCompletionTokens, body));
        if (places.MaxTokens.Exists && (says || !saysCompletion))
            edits.Replace(places.MaxTokens, text);
        if (places.MaxCompletionTokens.Exists && (saysCompletion || !says))
            edits.Replace(places.MaxCompletionTokens, text);
        if (!places.MaxTokens.Exists && !places.MaxCompletionTokens.Exists)
            edits.Insert(places.Open, [.. IsReasoner(model) ? "\"max_completion_tokens\":"u8 : "\"max_tokens\":"u8, .. text, (byte)',']);
    }

    private static bool IsNumber(Slice at, ReadOnlySpan<byte> body) => at.Exists && body[at.Start] != (byte)'n';

    private static void EditStreamOptions(ref Edits edits, in BodyPlaces places, ReadOnlySpan<byte> body)
    {
        if (places.IncludeUsage.Exists)
            edits.Replace(places.IncludeUsage, "true"u8.ToArray());
        else if (places.HasStreamOptions)
            edits.Insert(places.StreamOptions.Start + 1, "\"include_usage\":true,"u8.ToArray());
        else if (places.StreamOptions.Exists)
            edits.Replace(places.StreamOptions, "{\"include_usage\":true}"u8.ToArray());
        else
            edits.Insert(places.Open, "\"stream_options\":{\"include_usage\":true},"u8.ToArray());
    }

    private static void EditPreset(ref Edits edits, CallRequest request, ReadOnlySpan<byte> body, string preset)
    {
        var text = JsonSlices.Quote(preset);
        var places = request.Places;
        if (request.Protocol == Protocol.OpenAi)
        {
            // Messages are never empty.
            edits.Insert(places.Messages.Start + 1, [.. "{\"role\":\"system\",\"content\":"u8, .. text, .. "},"u8]);
            return;
        }

        var own = places.System.Exists ? places.System.Of(body) : default;
        if (places.HasSystemBlocks)
            edits.Insert(places.System.Start + 1, [.. "{\"type\":\"text\",\"text\":"u8, .. text, .. "},"u8]);
        else if (own.Length > 2 && own[0] == '"')
            edits.Replace(
                places.System,
                [.. "[{\"type\":\"text\",\"text\":"u8, .. text, .. "},{\"type\":\"text\",\"text\":"u8, .. own, .. "}]"u8]
            );
        else if (places.System.Exists)
            edits.Replace(places.System, text);
        else
            edits.Insert(places.Open, [.. "\"system\":"u8, .. text, (byte)',']);
    }

    /// <summary>Changes of a text, applied in one go.</summary>
    private ref struct Edits()
    {
        private readonly List<(Slice At, byte[] Text)> _all = new(6);
        private int _grown;

        // In the order of their places; what is inserted goes before what is replaced there, and after what was inserted there before.
        public void Replace(Slice at, byte[] text)
        {
            var place = _all.Count;
            while (place > 0 && (_all[place - 1].At.Start, _all[place - 1].At.End).CompareTo((at.Start, at.End)) > 0)
                place--;
            _all.Insert(place, (at, text));
            _grown += text.Length - (at.End - at.Start);
        }

        public void Insert(int at, byte[] text) => Replace(new(at, at), text);

        public readonly byte[] Apply(ReadOnlySpan<byte> body)
        {
            var result = new byte[body.Length + _grown];
            var (read, written) = (0, 0);
            foreach (var (at, text) in _all)
            {
                body[read..at.Start].CopyTo(result.AsSpan(written));
                written += at.Start - read;
                text.CopyTo(result, written);
                written += text.Length;
                read = at.End;
            }

            body[read..].CopyTo(result.AsSpan(written));
            return result;
        }
    }
}
