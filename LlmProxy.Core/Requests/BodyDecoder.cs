using System.Buffers;
using System.IO.Compression;
using System.IO.Pipelines;
using LlmProxy.Core.Protocol;
using Microsoft.Extensions.Primitives;

namespace LlmProxy.Core.Requests;

/// <summary>Decodes a compressed body; the limit counts what comes out of it.</summary>
internal static class BodyDecoder
{
    private const int Step = 64 * 1024;

    public static bool IsSupported(StringValues encoding) => IsIdentity(encoding) || Name(encoding) is "gzip" or "br";

    public static bool IsIdentity(StringValues encoding) => Name(encoding) is "identity" or "";

    /// <param name="encoded">All of it; it is released.</param>
    /// <param name="encoding">One that is supported.</param>
    /// <param name="share">For what comes out.</param>
    public static async ValueTask<Result<RequestBody>> DecodeAsync(RequestBody encoded, StringValues encoding, BodyShare share)
    {
        var input = PipeReader.Create(encoded.Bytes).AsStream();
        await using var decoded = Name(encoding) == "br"
            ? (Stream)new BrotliStream(input, CompressionMode.Decompress)
            : new GZipStream(input, CompressionMode.Decompress);
        var output = new ArrayBufferWriter<byte>(Step);
        try
        {
            while (true)
            {
                var count = await decoded.ReadAsync(output.GetMemory(Step), CancellationToken.None);
                if (count == 0)
                {
                    share.IsKept = true;
                    return new RequestBody(new ReadOnlySequence<byte>(output.WrittenMemory), null, share.Budget, share.Taken);
                }

                output.Advance(count);
                if (share.Check(output.WrittenCount) is { } error)
                {
                    return error;
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException)
        {
            return ProxyErrors.BadRequest("invalid_content_encoding", "The body could not be decoded as its Content-Encoding says.");
        }
        finally
        {
            share.GiveBackUnlessKept();
            encoded.Release();
        }
    }

    private static string Name(StringValues encoding) => encoding.Count == 1 ? encoding[0]!.Trim().ToLowerInvariant() : encoding.ToString();
}
