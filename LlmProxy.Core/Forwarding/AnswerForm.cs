using System.Globalization;
using System.IO.Compression;

namespace LlmProxy.Core.Forwarding;

/// <summary>What the headers of an upstream's answer say of its body.</summary>
internal readonly struct AnswerForm
{
    private readonly string? _type;
    private readonly string? _encoding;

    private AnswerForm(string? type, string? encoding, int? length) => (_type, _encoding, Length) = (type, encoding, length);

    /// <summary>As told; null if it is not, or is no length.</summary>
    public int? Length { get; }

    public bool IsJson => IsType("application/json");

    public bool IsEvents => IsType("text/event-stream");

    /// <summary>It says that it is coded: what <see cref="Decode"/> gives is not what came.</summary>
    public bool IsEncoded => _encoding is not null;

    // One look at all that there is: each question for one by its name is a search, and the parsed length makes four objects.
    public static AnswerForm Of(HttpResponseMessage response)
    {
        string? type = null;
        string? encoding = null;
        int? length = null;
        foreach (var (name, values) in response.Content.Headers.NonValidated)
        {
            switch (name.Length)
            {
                case 12 when name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase):
                    type = values.ToString();
                    break;
                case 14 when name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase):
                    length = int.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var told) ? told : null;
                    break;
                case 16 when name.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase):
                    encoding = values.ToString();
                    break;
            }
        }

        return new AnswerForm(type, encoding, length);
    }

    /// <summary>Nothing compressed was asked for. What comes so all the same is decoded, or refused: binary must not reach the scanner.</summary>
    /// <returns>Null for a coding that nobody here knows.</returns>
    public Stream? Decode(Stream body)
    {
        if (_encoding is null)
        {
            return body;
        }

        return _encoding.Trim().ToLowerInvariant() switch
        {
            "identity" or "" => body,
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            "deflate" => new ZLibStream(body, CompressionMode.Decompress),
            _ => null,
        };
    }

    private bool IsType(string type) =>
        _type.AsSpan().TrimStart() is var value
        && value.StartsWith(type, StringComparison.OrdinalIgnoreCase)
        && (value.Length == type.Length || value[type.Length] is ';' or ' ' or ',');
}
