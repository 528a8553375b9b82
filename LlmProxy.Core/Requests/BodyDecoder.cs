using System.Buffers;
using System.IO.Compression;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace LlmProxy.Core.Requests;

/// <summary>Reads a compressed body; the limit counts what comes out of it.</summary>
internal static class BodyDecoder
{
    private const int Step = 64 * 1024;

    public static bool IsSupported(StringValues encoding) => IsIdentity(encoding) || Name(encoding) is "gzip" or "br";

    public static bool IsIdentity(StringValues encoding) => Name(encoding) is "identity" or "";

    public static async ValueTask<Result<RequestBody>> ReadAsync(HttpRequest request, BodyShare share, CancellationToken cancellation)
    {
        await using var decoded = Name(request.Headers.ContentEncoding) == "br"
            ? (Stream)new BrotliStream(request.BodyReader.AsStream(leaveOpen: true), CompressionMode.Decompress)
            : new GZipStream(request.BodyReader.AsStream(leaveOpen: true), CompressionMode.Decompress);
        var output = new ArrayBufferWriter<byte>(Step);
        try
        {
            while (true)
            {
                var count = await decoded.ReadAsync(output.GetMemory(Step), cancellation);
                if (count == 0)
                {
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
    }

    private static string Name(StringValues encoding) => encoding.Count == 1 ? encoding[0]!.Trim().ToLowerInvariant() : encoding.ToString();
}
