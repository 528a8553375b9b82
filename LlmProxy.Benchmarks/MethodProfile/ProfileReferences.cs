using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace LlmProxy.Benchmarks.MethodProfile;

/// <summary>
/// Types and methods of other assemblies as the metadata of one file names them. What cannot be told for sure has no name: a
/// profile with less in it is slower, one with something wrong in it misleads.
/// </summary>
internal sealed class ProfileReferences(MetadataBuilder metadata, KnownAssemblies assemblies)
{
    /// <summary>What stands for all classes in code that they share. The compiler knows it by this assembly, which does not exist.</summary>
    private const string Shared = "System.__Canon";

    private const string SharedAssembly = "System.Private.Canon";

    private static readonly Dictionary<string, PrimitiveTypeCode> _primitives = Enum.GetValues<PrimitiveTypeCode>()
        .Where(static code => code is not (PrimitiveTypeCode.TypedReference or PrimitiveTypeCode.Void))
        .ToDictionary(static code => $"System.{code}", StringComparer.Ordinal);

    private readonly Dictionary<string, AssemblyReferenceHandle> _assemblies = new(StringComparer.Ordinal);
    private readonly Dictionary<(EntityHandle Scope, string Space, string Name), TypeReferenceHandle> _types = [];

    /// <summary>The assemblies of what has been named since this was last emptied, in that order.</summary>
    public List<string> Mentioned { get; } = [];

    /// <summary>A method by the name that the runtime has for it.</summary>
    /// <returns>Nil: it is none that is known, or more than one; or it is generic, for its arguments are not told.</returns>
    public EntityHandle Method(string name, int size, int parameters)
    {
        foreach (var at in Dots(name))
        {
            if (TypeName.TryParse(name.AsSpan(0, at), out var type) && Defined(type) is { Count: > 0 } types)
            {
                var found = types.Select(owner => (Owner: owner, Method: owner.Find(name[(at + 1)..], size, parameters))).Where(static found => found.Method is not null).ToArray();
                return found is [var (owner, method)] ? Method(type, owner, method!.Value) : default;
            }
        }

        return default;
    }

    /// <summary>A type by the name that the runtime has for it, with its assembly or without.</summary>
    /// <returns>Nil: it is none that is known.</returns>
    public EntityHandle Type(string name)
    {
        if (!TypeName.TryParse(name, out var type))
        {
            return default;
        }

        // A signature of its own only for what needs one.
        return type.IsSimple && !_primitives.ContainsKey(type.FullName) ? Simple(type) : Specification(type);
    }

    private EntityHandle Method(TypeName type, KnownType owner, MethodDefinition method)
    {
        if (method.GetGenericParameters().Count > 0)
        {
            return default;
        }

        var parent = type.IsConstructedGenericType ? Specification(type) : Reference(owner);
        var signature = new BlobBuilder();
        new SignatureCopy(owner, signature, reference => Reference(owner, reference)).Copy(method.Signature);
        return parent.IsNil ? parent : metadata.AddMemberReference(parent, metadata.GetOrAddString(owner.Reader.GetString(method.Name)), metadata.GetOrAddBlob(signature));
    }

    private EntityHandle Specification(TypeName type)
    {
        var signature = new BlobBuilder();
        return TryWrite(type, new BlobEncoder(signature).TypeSpecificationSignature()) ? metadata.AddTypeSpecification(metadata.GetOrAddBlob(signature)) : default;
    }

    private bool TryWrite(TypeName type, SignatureTypeEncoder to)
    {
        if (type.IsSZArray)
        {
            return TryWrite(type.GetElementType(), to.SZArray());
        }

        if (type.IsArray || type.IsPointer || type.IsByRef)
        {
            return false;
        }

        if (!type.IsConstructedGenericType)
        {
            return TryWriteSimple(type, to);
        }

        if (Defined(type) is not [var definition])
        {
            return false;
        }

        var arguments = type.GetGenericArguments();
        var into = to.GenericInstantiation(Reference(definition), arguments.Length, definition.IsValueType);
        return arguments.All(argument => TryWrite(argument, into.AddArgument()));
    }

    private bool TryWriteSimple(TypeName type, SignatureTypeEncoder to)
    {
        if (_primitives.TryGetValue(type.FullName, out var primitive))
        {
            to.PrimitiveType(primitive);
            return true;
        }

        var reference = Simple(type);
        if (!reference.IsNil)
        {
            to.Type(reference, Defined(type) is [{ IsValueType: true }, ..]);
        }

        return !reference.IsNil;
    }

    private EntityHandle Simple(TypeName type)
    {
        if (type.FullName == Shared)
        {
            return Reference(SharedAssembly, "System", "__Canon");
        }

        return Defined(type) is [var definition] ? Reference(definition) : default;
    }

    private List<KnownType> Defined(TypeName type)
    {
        var definition = type.IsConstructedGenericType ? type.GetGenericTypeDefinition() : type;
        var assembly = type.AssemblyName?.Name;
        return definition.IsSimple ? [.. assemblies.Find(definition.FullName).Where(known => assembly is null || known.Assembly == assembly)] : [];
    }

    private EntityHandle Reference(KnownType type)
    {
        Mention(type.Assembly);
        return Reference(type, type.Handle);
    }

    private EntityHandle Reference(KnownType owner, EntityHandle token) => token.Kind switch
    {
        HandleKind.TypeDefinition => Reference(owner, (TypeDefinitionHandle)token),
        HandleKind.TypeReference => Reference(owner, (TypeReferenceHandle)token),
        _ => throw new BadImageFormatException($"A signature names a {token.Kind}."),
    };

    private TypeReferenceHandle Reference(KnownType owner, TypeDefinitionHandle handle)
    {
        var type = owner.Reader.GetTypeDefinition(handle);
        EntityHandle scope = type.GetDeclaringType() is { IsNil: false } outer ? Reference(owner, outer) : Assembly(owner.Assembly);
        return Reference(scope, owner.Reader.GetString(type.Namespace), owner.Reader.GetString(type.Name));
    }

    private TypeReferenceHandle Reference(KnownType owner, TypeReferenceHandle handle)
    {
        var type = owner.Reader.GetTypeReference(handle);
        EntityHandle scope = type.ResolutionScope.Kind switch
        {
            HandleKind.TypeReference => Reference(owner, (TypeReferenceHandle)type.ResolutionScope),
            HandleKind.AssemblyReference => Assembly(owner.Reader.GetString(owner.Reader.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name)),
            _ => Assembly(owner.Assembly),
        };
        return Reference(scope, owner.Reader.GetString(type.Namespace), owner.Reader.GetString(type.Name));
    }

    private TypeReferenceHandle Reference(string assembly, string space, string name) => Reference(Assembly(assembly), space, name);

    private TypeReferenceHandle Reference(EntityHandle scope, string space, string name)
    {
        if (!_types.TryGetValue((scope, space, name), out var reference))
        {
            _types[(scope, space, name)] = reference = metadata.AddTypeReference(scope, metadata.GetOrAddString(space), metadata.GetOrAddString(name));
        }

        return reference;
    }

    private AssemblyReferenceHandle Assembly(string name)
    {
        if (!_assemblies.TryGetValue(name, out var reference))
        {
            _assemblies[name] = reference = metadata.AddAssemblyReference(metadata.GetOrAddString(name), new Version(0, 0, 0, 0), default, default, default, default);
        }

        return reference;
    }

    private void Mention(string assembly)
    {
        if (!Mentioned.Contains(assembly))
        {
            Mentioned.Add(assembly);
        }
    }

    // From the last one on: what follows it is the name of the method, unless that has some of its own. None between brackets.
    private static IEnumerable<int> Dots(string name)
    {
        var depth = 0;
        for (var at = name.Length - 1; at > 0; at--)
        {
            depth += name[at] switch { ']' => 1, '[' => -1, _ => 0 };
            if (depth == 0 && name[at] == '.')
            {
                yield return at;
            }
        }
    }
}
