using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmProxy.Host.Listening;

/// <summary>The server's certificate, with the chain that clients need beside it.</summary>
internal sealed class ServerCertificate
{
    private ServerCertificate(X509Certificate2 leaf, X509Certificate2Collection chain)
    {
        Leaf = leaf;
        Chain = chain;
    }

    public X509Certificate2 Leaf { get; }

    public X509Certificate2Collection Chain { get; }

    /// <summary>Reads one PEM file: the certificate first, then those between it and the root, and the private key anywhere.</summary>
    /// <exception cref="RefusedException">It cannot be read or holds no such things.</exception>
    public static ServerCertificate Load(string path)
    {
        try
        {
            var leaf = X509Certificate2.CreateFromPemFile(path, path);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(path);
            chain.RemoveAt(0);
            return new ServerCertificate(leaf, chain);
        }
        catch (Exception unusable) when (unusable is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            // What the library says of a key it could not read may quote it; the path and the demand are enough.
            var why = unusable is FileNotFoundException or DirectoryNotFoundException ? "does not exist"
                : unusable is UnauthorizedAccessException ? "may not be read by this user"
                : "does not hold a certificate and its unencrypted private key in PEM form";
            throw new RefusedException($"Listen.Certificate: {path} {why}.");
        }
    }
}
