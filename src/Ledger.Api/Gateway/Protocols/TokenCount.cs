namespace Ledger.Api.Gateway.Protocols;

/// <summary>Tokens where nobody reports them. Two counts of the same thing: one to hold money by, and one that is nearer to the truth.</summary>
/// <remarks>
/// Texts are measured in bytes of UTF-8, not in characters: tokenizers start from bytes, and a Chinese character is about a token where a Latin letter is a
/// quarter of one.
/// </remarks>
internal static class TokenCount
{
    /// <summary>
    /// Held where nobody here can say how much a model will read, such as a document that it unpacks or pages that its provider fetches: as much as a model may read
    /// at all. The ledger holds no more than the context of the model.
    /// </summary>
    public const long Uncountable = CallRequest.MostTokens;

    /// <summary>Held for a picture: about what the dearest model takes one for at its full detail.</summary>
    public const int ImageHeld = 40_000;

    /// <summary>About what a picture costs: Anthropic's figure for 1.15 megapixels.</summary>
    public const int ImageLikely = 1_600;

    /// <summary>About what a document costs that is only named, by an address or an id.</summary>
    public const int NamedDocumentLikely = 3_000;

    /// <summary>Held for a message on top of its text.</summary>
    public const int MessageHeld = 8;

    /// <summary>About what a message costs on top of its text.</summary>
    public const int MessageLikely = 4;

    /// <summary>Held where there are tools at all: providers put instructions of their own before them.</summary>
    public const int ToolsHeld = 500;

    /// <summary>About what those instructions cost.</summary>
    public const int ToolsLikely = 300;

    private const int PageLikely = 1_500;
    private const int DocumentMost = 300_000;
    private const int SoundLeast = 1_000;

    /// <summary>What is held for a text: a token for every two bytes.</summary>
    public static long Held(long bytes) => (bytes + 1) / 2;

    /// <summary>What a text is likely to cost: a token for every four bytes.</summary>
    public static long Likely(long bytes) => (bytes + 3) / 4;

    /// <summary>What a document of so many bytes is likely to cost: a page at least.</summary>
    public static long DocumentLikely(long bytes) => Math.Clamp(bytes / 40, PageLikely, DocumentMost);

    /// <summary>What is held for a recording of so many bytes.</summary>
    public static long SoundHeld(long bytes) => Math.Max(bytes / 200, SoundLeast);

    /// <summary>What it is likely to cost.</summary>
    public static long SoundLikely(long bytes) => Math.Max(bytes / 1_000, SoundLeast / 10);
}
