using System.IO.Compression;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>
/// The compiler says nothing of methods in the executable's profile that it does not know. Whether they are still the same inside nobody can
/// tell from outside; that many are no more says that the profile is old.
/// </summary>
[TestFixture]
internal sealed class MethodProfileTests
{
    private const string Remedy = "`dotnet run -c Release --project LlmProxy.Benchmarks -- profile` writes the profile anew";

    [Test]
    public void The_profile_is_one_of_this_code()
    {
        using var file = new PEReader(Content());
        var reader = file.GetMetadataReader();
        var methods = reader.MemberReferences.Select(handle => NameOf(reader, reader.GetMemberReference(handle))).OfType<(string Type, string Method)>().ToArray();
        var foreign = methods.Where(static method => !Exists(method.Type, method.Method)).ToArray();
        Assert.That(methods, Has.Length.GreaterThan(300), $"These are too few methods for what runs in requests. {Remedy}.");
        Assert.That(
            foreign.Length, Is.LessThan(methods.Length / 10),
            $"Many of these methods are no more. {Remedy}:\n{string.Join('\n', foreign.Take(20))}");
    }

    private static MemoryStream Content()
    {
        using var archive = ZipFile.OpenRead(Path.Combine(SourceTree.Root, "LlmProxy.Host", "methods.mibc"));

        // The compiler looks for this name.
        using var entry = archive.GetEntry("methods.mibc.dll")!.Open();
        var bytes = new MemoryStream();
        entry.CopyTo(bytes);
        bytes.Position = 0;
        return bytes;
    }

    private static (string Type, string Method)? NameOf(MetadataReader reader, MemberReference member) =>
        member.Parent.Kind == HandleKind.TypeReference && TypeOf(reader, (TypeReferenceHandle)member.Parent) is { } type ? (type, reader.GetString(member.Name)) : null;

    /// <returns>Null for a type of another assembly.</returns>
    private static string? TypeOf(MetadataReader reader, TypeReferenceHandle handle)
    {
        var type = reader.GetTypeReference(handle);
        var name = reader.GetString(type.Name);
        return type.ResolutionScope.Kind switch
        {
            HandleKind.TypeReference => TypeOf(reader, (TypeReferenceHandle)type.ResolutionScope) is { } outer ? $"{outer}+{name}" : null,
            HandleKind.AssemblyReference when reader.StringComparer.Equals(reader.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name, "LlmProxy.Core") =>
                $"{reader.GetString(type.Namespace)}.{name}",
            _ => null,
        };
    }

    private static bool Exists(string type, string method) =>
        typeof(LlmProxyOptions).Assembly.GetType(type)?
            .GetMember(method, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly).Length > 0;
}
