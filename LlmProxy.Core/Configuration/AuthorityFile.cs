using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmProxy.Core.Configuration;

/// <summary>A file of certificates whose owners are trusted to sign others.</summary>
internal static class AuthorityFile
{
    private const string WhatToDo = "Name a PEM file with the certificate of the authority that signed the upstream's, or leave it out.";

    /// <summary>Reads all certificates of a file.</summary>
    /// <param name="path">Whole, so that it does not depend on where the program was started.</param>
    /// <param name="problem">What is wrong and what to do; null if all is well.</param>
    public static X509Certificate2Collection? TryRead(string path, out string? problem)
    {
        var certificates = new X509Certificate2Collection();
        problem = null;
        if (!Path.IsPathFullyQualified(path))
        {
            problem = $"{Problems.Quote(path)} is not a whole path. {WhatToDo}";
            return null;
        }

        try
        {
            certificates.ImportFromPemFile(path);
            problem = certificates.Count == 0 ? $"{Problems.Quote(path)} holds no certificate in PEM form. {WhatToDo}" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            var why = e is FileNotFoundException or DirectoryNotFoundException ? "does not exist"
                : e is CryptographicException ? "holds a certificate that cannot be read"
                : "may not be read: it is a directory, or access is denied";
            problem = $"{Problems.Quote(path)} {why}. {WhatToDo}";
        }

        return problem is null ? certificates : null;
    }

    /// <summary>Reads a file that was read before.</summary>
    /// <exception cref="InvalidOperationException">It has changed since.</exception>
    public static X509Certificate2Collection Read(string path) =>
        TryRead(path, out var problem) ?? throw new InvalidOperationException("CaFile: " + problem);
}
