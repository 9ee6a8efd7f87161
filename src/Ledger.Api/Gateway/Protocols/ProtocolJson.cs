using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ledger.Api.Gateway.Protocols;

/// <summary>Texts as JSON, without reflection.</summary>
[JsonSerializable(typeof(string))]
internal sealed partial class ProtocolJson : JsonSerializerContext
{
    /// <summary>Escapes no more than JSON wants.</summary>
    public static readonly ProtocolJson Relaxed = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
