using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Gateway.Calls;

/// <summary>The answers of the pack dialect: the text, what it used, and what is left of the pack that paid.</summary>
internal static class PackAnswers
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// The answer that is not streamed: the document's members, and whatever the model said beside text, since that is paid for too. Where there is such,
    /// why it ended is told as well.
    /// </summary>
    public static byte[] Write(in FirstChoice said, LiveCall call, CallRecord record, CallCharge charge)
    {
        var buffer = new ArrayBufferWriter<byte>(said.Text.Length + 512);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("content", said.Text);
            if (said.HasMore)
            {
                WriteAsIs(json, "refusal", said.Refusal);
                WriteAsIs(json, "tool_calls", said.ToolCalls);
                WriteAsIs(json, "function_call", said.FunctionCall);
                WriteAsIs(json, "finish_reason", said.FinishReason);
            }

            WriteRest(json, call, record, charge);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>A stream's last chunk: what OpenAI's clients expect of one, under the names that the chunks before it have, and the rest.</summary>
    public static byte[] WriteLast(StreamRelay relay, LiveCall call, CallRecord record, CallCharge charge)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            if (relay.IdText is null)
                json.WriteString("id", "chatcmpl-" + call.Id.Value.ToString("N"));
            else
                WriteAsIs(json, "id", relay.IdText);
            json.WriteString("object", "chat.completion.chunk");
            json.WriteNumber("created", call.PlacedAt.ToUnixTimeSeconds());
            WriteAsIs(json, "model", relay.ModelText);
            json.WriteStartArray("choices");
            json.WriteEndArray();
            WriteRest(json, call, record, charge);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteAsIs(Utf8JsonWriter json, string name, byte[]? raw)
    {
        if (raw is null)
            return;
        json.WritePropertyName(name);
        json.WriteRawValue(raw, skipInputValidation: true);
    }

    private static void WriteRest(Utf8JsonWriter json, LiveCall call, CallRecord record, CallCharge charge)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("inputTokens", record.Tokens.AllInput);
        json.WriteNumber("outputTokens", record.Tokens.Output);
        json.WriteNumber("totalTokens", record.Tokens.Total);
        json.WriteNumber("costCredits", charge.Charged.WholeFloor());
        json.WriteNumber("latencyMs", record.LatencyMs);
        json.WriteEndObject();

        if (PocketOf(call, charge) is { } pocket)
            WritePack(json, call, pocket, charge.At);
        json.WriteString("usageLogId", "ul_" + charge.Spend.Value.ToString("N"));
    }

    private static void WritePack(Utf8JsonWriter json, LiveCall call, Pocket pocket, DateTimeOffset at)
    {
        var left = pocket.LapsedAt(at) ? 0 : pocket.Remaining;
        var rates = call.Card.FindPack(call.Hold.Entry["packs/".Length..])?.CreditsPer1m;
        json.WriteStartObject("pack");
        json.WriteString("id", PackTranslation.IdOf(pocket));
        if (rates is not null && PackRates.TokensFor(left, rates) is { } tokens)
            json.WriteNumber("remainingTokensEst", tokens);
        else
            json.WriteNull("remainingTokensEst");
        json.WriteNumber("internalCreditsRemaining", new Amount(left, Unit.Credits).WholeFloor());
        json.WriteString("status", PackTranslation.StatusOf(pocket, at));
        json.WriteEndObject();
    }

    /// <summary>The pack that paid, the last one where several did; where nothing was to be paid, the one that the hold was placed on.</summary>
    private static Pocket? PocketOf(LiveCall call, CallCharge charge)
    {
        var wallet = charge.Account.Wallet;
        return charge.Payer is { } payer && wallet.Pocket(payer) is { Scope: not null } paid ? paid
            : call.Hold.Allocated is { IsEmpty: false } held ? wallet.Pocket(held[^1].Pocket)
            : wallet.FirstPack(call.Hold.Call!.Scope!, charge.At);
    }
}
