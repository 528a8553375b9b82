using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Admin;

/// <summary>Bodies of the admin API, held whole and bounded: a length need not be announced, and need not be true.</summary>
internal static class AdminBody
{
    /// <returns>All of it; empty where there is none.</returns>
    public static async ValueTask<Result<byte[]>> ReadAsync(HttpContext http, int longest)
    {
        if (http.Request.ContentLength > longest)
        {
            return ProxyErrors.RequestTooLarge(longest);
        }

        using var bytes = new MemoryStream();
        var buffer = new byte[16 << 10];
        int read;
        while ((read = await http.Request.Body.ReadAsync(buffer, http.RequestAborted)) > 0)
        {
            if (bytes.Length + read > longest)
            {
                return ProxyErrors.RequestTooLarge(longest);
            }

            bytes.Write(buffer, 0, read);
        }

        return bytes.ToArray();
    }
}
