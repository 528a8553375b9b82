using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace LlmProxy.Benchmarks.MethodProfile;

/// <summary>A type where it is defined.</summary>
internal sealed record KnownType(PEReader File, MetadataReader Reader, string Assembly, TypeDefinitionHandle Handle)
{
    public TypeDefinition Definition => Reader.GetTypeDefinition(Handle);

    /// <summary>As a signature tells them apart.</summary>
    public bool IsValueType => Definition.BaseType switch
    {
        { IsNil: true } => false,
        { Kind: HandleKind.TypeReference } parent => IsValue(Reader, Reader.GetTypeReference((TypeReferenceHandle)parent).Name),
        { Kind: HandleKind.TypeDefinition } parent => IsValue(Reader, Reader.GetTypeDefinition((TypeDefinitionHandle)parent).Name),
        _ => false,
    };

    /// <summary>The method that a profile means: by its name, its size and its parameters. Null if there is none, or more than one.</summary>
    public MethodDefinition? Find(string name, int size, int parameters)
    {
        MethodDefinition? found = null;
        foreach (var handle in Definition.GetMethods())
        {
            var method = Reader.GetMethodDefinition(handle);
            if (Reader.StringComparer.Equals(method.Name, name) && ParametersOf(method) == parameters && SizeOf(method) == size)
            {
                if (found is not null)
                {
                    return null;
                }

                found = method;
            }
        }

        return found;
    }

    private int SizeOf(MethodDefinition method) => method.RelativeVirtualAddress == 0 ? 0 : File.GetMethodBody(method.RelativeVirtualAddress).GetILReader().Length;

    private int ParametersOf(MethodDefinition method)
    {
        var signature = Reader.GetBlobReader(method.Signature);
        if (signature.ReadSignatureHeader().IsGeneric)
        {
            signature.ReadCompressedInteger();
        }

        return signature.ReadCompressedInteger();
    }

    private static bool IsValue(MetadataReader reader, StringHandle name) => reader.StringComparer.Equals(name, "ValueType") || reader.StringComparer.Equals(name, "Enum");
}

/// <summary>What is defined in the assemblies of a program and of the frameworks that it runs on.</summary>
internal sealed class KnownAssemblies : IDisposable
{
    private readonly Dictionary<string, List<KnownType>> _types = new(StringComparer.Ordinal);
    private readonly List<PEReader> _files = [];

    /// <param name="folders">With assemblies. Of two with one name the first counts.</param>
    public KnownAssemblies(IEnumerable<string> folders)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in folders.SelectMany(static folder => Directory.EnumerateFiles(folder, "*.dll").Order(StringComparer.Ordinal)))
        {
            var file = new PEReader(File.OpenRead(path));
            _files.Add(file);
            if (file.HasMetadata && file.GetMetadataReader() is { IsAssembly: true } reader && reader.GetString(reader.GetAssemblyDefinition().Name) is var name && names.Add(name))
            {
                Add(file, reader, name);
            }
        }
    }

    /// <summary>Types of a name: <c>Space.Type`1+Nested</c>. Some are defined in several assemblies, each for itself.</summary>
    public IReadOnlyList<KnownType> Find(string name) => _types.GetValueOrDefault(name) ?? [];

    public void Dispose() => _files.ForEach(static file => file.Dispose());

    private void Add(PEReader file, MetadataReader reader, string assembly)
    {
        foreach (var handle in reader.TypeDefinitions)
        {
            var name = NameOf(reader, handle);
            if (!_types.TryGetValue(name, out var types))
            {
                _types[name] = types = [];
            }

            types.Add(new KnownType(file, reader, assembly, handle));
        }
    }

    private static string NameOf(MetadataReader reader, TypeDefinitionHandle handle)
    {
        var type = reader.GetTypeDefinition(handle);
        var name = reader.GetString(type.Name);
        if (type.GetDeclaringType() is { IsNil: false } outer)
        {
            return $"{NameOf(reader, outer)}+{name}";
        }

        return type.Namespace.IsNil ? name : $"{reader.GetString(type.Namespace)}.{name}";
    }
}
