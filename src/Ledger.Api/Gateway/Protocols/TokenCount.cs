namespace Ledger.Api.Gateway.Protocols;

/// <summary>Tokens where nobody reports them. Two counts of the same thing: one to hold money by, and one that is nearer to the truth.</summary>
/// <remarks>
/// Texts are measured in bytes of UTF-8, not in characters: tokenizers start from bytes, and a Chinese character is about a token where a Latin letter is a
/// quarter of one.
/// </remarks>
internal static class TokenCount
{
    /// <summary>Held for a picture: what the largest that Anthropic takes at full resolution costs, rounded up.</summary>
    public const int ImageHeld = 5_000;

    /// <summary>About what a picture costs: Anthropic's figure for 1.15 megapixels.</summary>
    public const int ImageLikely = 1_600;

    /// <summary>Held for a document that is only named, by an address or an id.</summary>
    public const int NamedDocumentHeld = 50_000;

    /// <summary>About what such a document costs.</summary>
    public const int NamedDocumentLikely = 3_000;

    /// <summary>Held for a message on top of its text.</summary>
    public const int MessageHeld = 8;

    /// <summary>About what a message costs on top of its text.</summary>
    public const int MessageLikely = 4;

    /// <summary>Held where there are tools at all: providers put instructions of their own before them.</summary>
    public const int ToolsHeld = 500;

    /// <summary>About what those instructions cost.</summary>
    public const int ToolsLikely = 300;

    private const int PageHeld = 3_000;
    private const int DocumentMost = 300_000;
    private const int SoundLeast = 1_000;

    /// <summary>What is held for a text: a token for every three bytes.</summary>
    public static long Held(long bytes) => (bytes + 2) / 3;

    /// <summary>What a text is likely to cost: a token for every four bytes.</summary>
    public static long Likely(long bytes) => (bytes + 3) / 4;

    /// <summary>What is held for a document of so many bytes: a page at least, and a page of text for every 30 kB.</summary>
    public static long DocumentHeld(long bytes) => Math.Clamp(bytes / 10, PageHeld, DocumentMost);

    /// <summary>What it is likely to cost.</summary>
    public static long DocumentLikely(long bytes) => Math.Clamp(bytes / 40, PageHeld / 2, DocumentMost);

    /// <summary>What is held for a recording of so many bytes.</summary>
    public static long SoundHeld(long bytes) => Math.Max(bytes / 200, SoundLeast);

    /// <summary>What it is likely to cost.</summary>
    public static long SoundLikely(long bytes) => Math.Max(bytes / 1_000, SoundLeast / 10);
}
