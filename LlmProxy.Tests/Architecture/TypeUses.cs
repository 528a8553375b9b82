using System.Reflection;
using System.Reflection.Emit;

namespace LlmProxy.Tests.Architecture;

/// <summary>Collects which types a compiled type uses: in its signatures, its attributes and in the code of its members.</summary>
internal sealed class TypeUses
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> _opCodesByValue = typeof(OpCodes)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value);

    private readonly HashSet<Type> _used = [];

    private TypeUses()
    {
    }

    public static IReadOnlySet<Type> Of(Type type)
    {
        var uses = new TypeUses();
        uses.Add(type.BaseType);
        uses.AddAll(type.GetInterfaces());
        uses.AddAll(type.GetCustomAttributesData().Select(attribute => attribute.AttributeType));
        foreach (var member in type.GetMembers(Declared))
        {
            uses.AddAll(member.GetCustomAttributesData().Select(attribute => attribute.AttributeType));
            uses.AddMember(member);
            if (member is MethodBase method)
            {
                uses.AddBody(method);
            }
        }

        return uses._used;
    }

    private void AddAll(IEnumerable<Type?> types)
    {
        foreach (var type in types)
        {
            Add(type);
        }
    }

    private void Add(Type? type)
    {
        if (type is null || type.IsGenericParameter)
        {
            return;
        }

        if (type.HasElementType)
        {
            Add(type.GetElementType());
            return;
        }

        if (_used.Add(type.IsGenericType ? type.GetGenericTypeDefinition() : type))
        {
            Add(type.DeclaringType);
        }

        AddAll(type.GetGenericArguments());
    }

    private void AddMember(MemberInfo member)
    {
        Add(member.DeclaringType);
        switch (member)
        {
            case Type nested:
                Add(nested);
                break;
            case FieldInfo field:
                Add(field.FieldType);
                break;
            case MethodBase method:
                Add((method as MethodInfo)?.ReturnType);
                AddAll(method.GetParameters().Select(parameter => parameter.ParameterType));
                AddAll(method.IsGenericMethod ? method.GetGenericArguments() : []);
                break;
        }
    }

    private void AddBody(MethodBase method)
    {
        if (method.GetMethodBody() is not { } body)
        {
            return;
        }

        AddAll(body.LocalVariables.Select(local => local.LocalType));
        AddAll(body.ExceptionHandlingClauses.Where(c => c.Flags == ExceptionHandlingClauseOptions.Clause).Select(c => c.CatchType));
        var typeArguments = method.DeclaringType!.GetGenericArguments();
        var methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : [];
        var il = body.GetILAsByteArray()!;
        for (var at = 0; at < il.Length;)
        {
            var code = _opCodesByValue[il[at] == 0xFE ? (short)(0xFE00 | il[at + 1]) : il[at]];
            at += code.Size;
            if (code.OperandType is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType)
            {
                AddMember(method.Module.ResolveMember(BitConverter.ToInt32(il, at), typeArguments, methodArguments)!);
            }

            at += OperandSize(code.OperandType, il, at);
        }
    }

    private static int OperandSize(OperandType operand, byte[] il, int at) => operand switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(il, at)),
        _ => 4,
    };
}
