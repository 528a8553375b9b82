using System.Globalization;

namespace LlmProxy.Tests.Support;

/// <summary>Reads the body of a request by its framing.</summary>
public static class WireBody
{
    /// <summary>The body without its transfer coding; null if the connection ended inside it.</summary>
    public static async Task<byte[]?> ReadAsync(WireReader reader, WireHeaders headers, CancellationToken cancellation)
    {
        if (headers["Transfer-Encoding"] is { } coding)
        {
            return coding == "chunked"
                ? await ReadChunkedAsync(reader, cancellation)
                : throw new InvalidDataException($"Transfer-Encoding: {coding}");
        }

        int length = int.Parse(headers["Content-Length"] ?? "0", CultureInfo.InvariantCulture);
        return await reader.ReadExactlyAsync(length, cancellation);
    }

    private static async Task<byte[]?> ReadChunkedAsync(WireReader reader, CancellationToken cancellation)
    {
        var body = new MemoryStream();
        while (await reader.ReadLineAsync(cancellation) is { } line)
        {
            int size = int.Parse(line.Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            byte[]? chunk = await reader.ReadExactlyAsync(size, cancellation);
            if (chunk is null || await reader.ReadLineAsync(cancellation) is not { Length: 0 })
            {
                return null;
            }

            if (size == 0)
            {
                return body.ToArray();
            }

            body.Write(chunk);
        }

        return null;
    }
}
